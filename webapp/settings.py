"""Every setting and every variable of the environment that the site reads."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import environ

from webapp.environment import Environment

BASE_DIR = Path(__file__).resolve().parents[1]
env = Environment(os.environ)

# Where all state lives: database, secret, runs, captures. `manage.py up --data` sets it.
DATA = Path(env.text("HEADLIGHT_DATA", default=str(BASE_DIR / "data"))).expanduser().resolve()


def _secret_key() -> str:
    """The key in the data folder, made on the first start. It appears whole, and once: two processes agree on it."""
    path = DATA / "secret_key"
    if not path.exists():
        with tempfile.NamedTemporaryFile("w", dir=DATA, prefix=".secret_key.") as file:
            file.write(secrets.token_urlsafe(50))
            file.flush()
            with contextlib.suppress(FileExistsError):
                os.link(file.name, path)
    return path.read_text()


try:
    DATA.mkdir(mode=0o700, parents=True, exist_ok=True)
    SECRET_KEY = env.text("HEADLIGHT_SECRET_KEY", default="") or _secret_key()
except OSError as error:
    # Settings are read before any command can speak, and a person should read a sentence, not a trace.
    raise SystemExit(
        f"The data folder {DATA} cannot be used: {error.strerror}. Choose another with --data DIR."
    ) from None
DEBUG = env.flag("HEADLIGHT_DEBUG", default=False)
ALLOWED_HOSTS = env.words("HEADLIGHT_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
REDIS_URL = env.address("REDIS_URL", ("redis", "rediss", "unix"), default="redis://127.0.0.1:6379/0")

# Nobody else reaches this site as long as it answers to these names alone.
OWN_MACHINE = set(ALLOWED_HOSTS) <= {"localhost", "127.0.0.1", "[::1]", "testserver"}

INSTALLED_APPS = [
    "webapp.administration.config.HeadlightAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "channels",
    "django_vite",
    "ninja",
    "webapp.accounts",
    "webapp.administration",
    "webapp.fleet",
    "webapp.checkpoints",
    "webapp.classes",
    "webapp.library",
    "webapp.people",
    "webapp.runs",
    "webapp.record",
    "webapp.shares",
    "webapp.supervise",
]
MIDDLEWARE = [
    "webapp.administration.request_log.RequestLog",
    "webapp.api.errors.ErrorShape",
    "webapp.shares.privacy.SharePrivacy",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "webapp.accounts.tokens.TokenSignIn",
    "webapp.accounts.wall.SignInWall",
    "webapp.people.limits.RateHeaders",
    "webapp.api.idempotency.OncePerKey",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
AUTH_USER_MODEL = "accounts.Person"

# Who must sign in: `off`, nobody can; `optional`, whoever wants; `required`, everybody but guests of shared links.
SIGN_IN = env.choice("HEADLIGHT_SIGN_IN", ("off", "optional", "required"), default="optional")
SIGN_UP = env.flag("HEADLIGHT_SIGN_UP", default=True)
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
ACCOUNT_ADAPTER = "webapp.accounts.adapter.Adapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_RATE_LIMITS = {"login_failed": "20/m/ip,5/5m/key", "signup": "10/m/ip"}
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
# Letters for a forgotten password: smtp://user:password@host:587. Without it an admin sets a new one.
EMAIL_URL = env.address("HEADLIGHT_EMAIL_URL", ("smtp", "smtps", "smtp+tls", "smtp+ssl"), default="")
if EMAIL_URL:
    globals().update(environ.Env.email_url_config(EMAIL_URL))
DEFAULT_FROM_EMAIL = env.text("HEADLIGHT_EMAIL_FROM", default="headlight@localhost")

# Where others reach the site a proxy speaks TLS before it, and cookies travel on nothing else.
TLS = env.flag("HEADLIGHT_TLS", default=not OWN_MACHINE)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = TLS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 31_536_000 if TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = TLS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
if TLS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
ROOT_URLCONF = "webapp.urls"
ASGI_APPLICATION = "webapp.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "webapp" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "webapp.accounts.wall.people",
                "webapp.classes.shown.classes",
            ],
            "builtins": ["webapp.language"],
        },
    }
]

DATABASE_URL = env.address(
    "DATABASE_URL", ("sqlite", "postgres", "postgresql"), default=f"sqlite:///{DATA / 'headlight.sqlite3'}"
)
DATABASES = {"default": environ.Env.db_url_config(DATABASE_URL)}
# A thread that answers requests stays (webapp.handling), and so does its connection, unless the address has
# `?conn_max_age=` for it. It is tried first with each request: the database may have been started again meanwhile.
DATABASES["default"] = {"CONN_MAX_AGE": 60, **DATABASES["default"], "CONN_HEALTH_CHECKS": True}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Write-ahead logging lets readers go on while one writes; taking the write lock at BEGIN makes a second writer
    # wait instead of failing half-way with "database is locked".
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL;",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Announcements only; run data goes by Redis Streams (webapp.stream). One web process needs no layer outside itself.
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

# Vite builds the browser's code into static/dist with hashed names, Plotly lies beside it, and WhiteNoise serves both.
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static" / "dist"
WHITENOISE_AUTOREFRESH = DEBUG
# WhiteNoise reads a file at once and Django warns of it under ASGI. The files are small, and cached for ever.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
WHITENOISE_ALLOW_ALL_ORIGINS = False
WHITENOISE_IMMUTABLE_FILE_TEST = (
    r"^.+(-[A-Za-z0-9_-]{8,}\.\w+|/vendor/(plotly|swagger-ui)-[\d.]+(\.min|-bundle|-init)?\.(js|css))$"
)
DJANGO_VITE = {"default": {"dev_mode": False, "manifest_path": STATIC_ROOT / "manifest.json"}}

# Copied from the installed Python packages when the browser code is built.
SWAGGER_URL = f"{STATIC_URL}vendor/swagger-ui-{version('django-ninja')}"
PLOTLY_URL = f"{STATIC_URL}vendor/plotly-{version('plotly')}.min.js"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        # Plotly sets styles on elements; that needs this, and no script does.
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:", "blob:"],
        "connect-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
    }
}
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
# For the sentences of forms that Django and allauth bring; our own are webapp.language's.
USE_I18N = True

# One line of JSON a record, with the run that it is about, for whoever collects logs; else lines for people.
LOGS = env.choice("HEADLIGHT_LOGS", ("lines", "json"), default="lines")
# Whoever reads /metrics sends it as Authorization: Bearer; without one, only this machine itself may.
METRICS_TOKEN = env.text("HEADLIGHT_METRICS_TOKEN", default="")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "lines": {"format": "{levelname} {name}: {message}", "style": "{"},
        "json": {"()": "workers.protocol.log_lines.JsonLines"},
    },
    "filters": {"slugs": {"()": "webapp.shares.privacy.HideSlugs"}},
    "handlers": {"stream": {"class": "logging.StreamHandler", "formatter": LOGS, "filters": ["slugs"]}},
    "root": {"handlers": ["stream"], "level": "INFO"},
    "loggers": {
        "httpx": {"level": "WARNING"},
        "uvicorn.access": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},
    },
}

# Limits of what one request may ask for; each is named in the answer that refuses.
BODY_LIMIT_BYTES = env.whole("HEADLIGHT_BODY_LIMIT_BYTES", default=2 << 20)
PICTURE_LIMIT_BYTES = env.whole("HEADLIGHT_PICTURE_LIMIT_BYTES", default=16 << 20)
ARCHIVE_LIMIT_BYTES = env.whole("HEADLIGHT_ARCHIVE_LIMIT_BYTES", default=64 << 20)
TEXT_LIMIT_CHARACTERS = env.whole("HEADLIGHT_TEXT_LIMIT_CHARACTERS", default=400_000)
MAP_LIMIT_VALUES = env.whole("HEADLIGHT_MAP_LIMIT_VALUES", default=1 << 22)
TOTALS_LIMIT_WEIGHTS = env.whole("HEADLIGHT_TOTALS_LIMIT_WEIGHTS", default=1 << 26)
COMPARISON_LIMIT_WEIGHTS = env.whole("HEADLIGHT_COMPARISON_LIMIT_WEIGHTS", default=1 << 27)
LENS_LIMIT_SCORES = env.whole("HEADLIGHT_LENS_LIMIT_SCORES", default=1 << 27)
# What each may use, by role; `visitor` is whoever does not sign in, and counts only where others reach the site.
LIMITS: dict[str, dict[str, int | None]] = {
    "visitor": {"runs_a_minute": 10, "running": 1, "queued": 3, "storage_bytes": None, "training_minutes": 10},
    "member": {"runs_a_minute": 30, "running": 2, "queued": 10, "storage_bytes": 2 << 30, "training_minutes": 120},
    "teacher": {"runs_a_minute": 60, "running": 8, "queued": 100, "storage_bytes": 20 << 30, "training_minutes": 1200},
    "admin": {},
}
SHARE_LIMIT_BYTES = env.whole("HEADLIGHT_SHARE_LIMIT_BYTES", default=4_000_000)
TILE_WAIT_S = env.real("HEADLIGHT_TILE_WAIT_S", default=30.0)
DATA_UPLOAD_MAX_MEMORY_SIZE = BODY_LIMIT_BYTES

# How long a running job may go without a heartbeat before another worker gets it, and how often it may be tried.
# What a machine draws while it trains, for estimates of energy: that of a laptop, or of a small server's share.
TRAINER_WATTS = env.real("HEADLIGHT_TRAINER_WATTS", default=45.0)
# Where a job goes: to the worker that could begin it soonest, or to whoever comes first.
# From how many seconds of waiting on the fleet's page warns.
QUEUE_WARN_S = env.real("HEADLIGHT_QUEUE_WARN_S", default=60.0)
ROUTING = env.choice("HEADLIGHT_ROUTING", ("soonest", "shared"), default="soonest")
LEASE_S = env.real("HEADLIGHT_LEASE_S", default=20.0)
ATTEMPTS = 3

STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}


def s3_options(bucket: str, endpoint: str, region: str, key: str = "", secret: str = "") -> dict[str, object]:
    """How django-storages reaches a bucket. Without a key it looks where Amazon's programs look for one."""
    return {
        "access_key": key or None,
        "secret_key": secret or None,
        "bucket_name": bucket,
        "endpoint_url": endpoint or None,
        "region_name": region or None,
        "addressing_style": "path",
        "default_acl": None,
        "file_overwrite": True,
        # What is read is spooled to the disk beyond so much; none of it is ever whole in memory.
        "max_memory_size": 16 << 20,
    }


S3_ENDPOINT = env.address("HEADLIGHT_S3_ENDPOINT", ("http", "https"), default="")
S3_REGION = env.text("HEADLIGHT_S3_REGION")
S3_KEY, S3_SECRET = env.text("AWS_ACCESS_KEY_ID"), env.text("AWS_SECRET_ACCESS_KEY")
if S3_BUCKET := env.text("HEADLIGHT_S3_BUCKET"):
    # All bytes of models lie there, and those in use on this disk too (webapp.library.storage).
    STORAGES["models"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": s3_options(S3_BUCKET, S3_ENDPOINT, S3_REGION, S3_KEY, S3_SECRET),
    }

# What people bring (webapp.library). Limits of an inspection hold beside what the size of the weights takes.
ANONYMOUS_UPLOADS = env.flag("HEADLIGHT_ANONYMOUS_UPLOADS", default=True)
MODEL_LIMIT_BYTES = env.whole("HEADLIGHT_MODEL_LIMIT_BYTES", default=50 * 10**9)
PERSON_QUOTA_BYTES = env.whole("HEADLIGHT_PERSON_QUOTA_BYTES", default=200 * 10**9)
SITE_QUOTA_BYTES = env.whole("HEADLIGHT_SITE_QUOTA_BYTES", default=2 * 10**12)
ARRIVAL_KEPT_S = env.real("HEADLIGHT_ARRIVAL_KEPT_S", default=24 * 3600.0)
# Where models are imported from, such as https://huggingface.co; imports are off without. No other host is asked but
# those that the hub keeps its files on.
HUB_ENDPOINT = env.address("HEADLIGHT_HUB_ENDPOINT", ("http", "https"), default="").rstrip("/")
HUB_FILE_HOSTS = env.words("HEADLIGHT_HUB_FILE_HOSTS", default=[])
INSPECTION_S = env.real("HEADLIGHT_INSPECTION_S", default=60.0)
INSPECTION_MEMORY_BYTES = env.whole("HEADLIGHT_INSPECTION_MEMORY_BYTES", default=1 << 30)

ZOO = BASE_DIR / "modelcore" / "zoo"
PLAN_PRESETS = BASE_DIR / "modelcore" / "training" / "presets.json"
FEATURED_MODEL = "prose"

env.refuse_mistakes()
