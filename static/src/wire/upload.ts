/**
 * Sends one file by tus, part by part, each with its checksum. A line that breaks, or a server that is away for a
 * while, is tried again by itself; where it goes on, the server says.
 */
import { defaultOptions, DetailedError, Upload } from "tus-js-client";
import { say } from "../language/say";

const PART_BYTES = 32 * 2 ** 20;
const RETRY_DELAYS_MS = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000];

export interface FileSending {
  pause(): void;
}

export interface Listener {
  progress(sentBytes: number): void;
  done(): void;
  /** Says what was wrong; the file can be begun again. */
  broke(message: string): void;
}

export function sendFile(file: Blob, address: string, listener: Listener): FileSending {
  let checksum: string | null = null;
  let isPaused = false;
  const upload = new Upload(file as File, {
    uploadUrl: address,
    endpoint: null,
    chunkSize: PART_BYTES,
    retryDelays: RETRY_DELAYS_MS,
    storeFingerprintForResuming: false,
    fileReader: {
      openFile: async (input, chunkSize) => {
        const source = await defaultOptions.fileReader.openFile(input, chunkSize);
        return {
          size: source.size,
          close: () => source.close(),
          slice: async (start, end) => {
            const slice = await source.slice(start, end);
            checksum = slice.value instanceof Blob ? await checksumOf(slice.value) : null;
            return slice;
          },
        };
      },
    },
    onBeforeRequest: (request) => {
      // While a part is hashed its request is open, not sent: to abort it takes its headers and lets it go all the same.
      if (isPaused) throw new Error("The upload is paused.");
      if (request.getMethod() === "PATCH" && checksum) request.setHeader("Upload-Checksum", checksum);
    },
    onProgress: (sentBytes) => listener.progress(sentBytes),
    onSuccess: () => listener.done(),
    onError: (error) => listener.broke(reason(error)),
  });
  upload.start();
  return {
    pause: () => {
      isPaused = true;
      void upload.abort();
    },
  };
}

/** null where the browser does not hash: on a page that came neither by https nor from this machine. */
async function checksumOf(part: Blob): Promise<string | null> {
  if (!globalThis.crypto?.subtle) return null;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await part.arrayBuffer()));
  return `sha256 ${btoa(String.fromCharCode(...digest))}`;
}

function reason(error: Error | DetailedError): string {
  const body = error instanceof DetailedError ? error.originalResponse?.getBody() : null;
  try {
    const message = body ? (JSON.parse(body) as { error?: { message?: string } }).error?.message : null;
    if (message) return message;
  } catch {
    // Something between us and the site answered.
  }
  return say("The line broke. What has arrived is kept; go on when it is back.");
}
