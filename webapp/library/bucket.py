"""The bucket that HEADLIGHT_S3_BUCKET names: whether it is there, and making it."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.storage import storages

from webapp.library.storage import REMOTE

FAULTS = (BotoCoreError, ClientError)
"""The ways in which a store says that it is away, refuses, or knows no such thing."""

WHAT_TO_CHECK = "Check HEADLIGHT_S3_ENDPOINT, HEADLIGHT_S3_REGION and the two AWS keys, and that the store runs."

_NO_PLACE = "us-east-1"
"""The region that S3 takes where none is said, and refuses to be told."""


class Bucket:
    def __init__(self, remote: Any) -> None:
        self._client, self._region = remote.connection.meta.client, remote.region_name
        self.name: str = remote.bucket_name

    def is_there(self) -> bool:
        """Asks the store. Raises: FAULTS, also where it is somebody else's."""
        try:
            self._client.head_bucket(Bucket=self.name)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            return False
        return True

    def make(self) -> None:
        """Raises: FAULTS."""
        where = {} if self._region in (None, _NO_PLACE) else {"LocationConstraint": self._region}
        self._client.create_bucket(Bucket=self.name, **({"CreateBucketConfiguration": where} if where else {}))


def bucket() -> Bucket | None:
    """As the settings have it; None where the files of models lie on the disk alone."""
    return Bucket(storages[REMOTE]) if REMOTE in settings.STORAGES else None
