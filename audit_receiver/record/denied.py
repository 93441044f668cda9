"""What is redacted unless the configuration says otherwise: names and forms of common secrets.

Names are globs in small letters with `_` for `-`, and match as `redact` says. Forms are patterns,
each with a text that stands in everything it matches, so that most records are passed over without
running it.
"""

from typing import NamedTuple

KEYS = (
    "*password",
    "*passwd",
    "*passphrase",
    "*password_hash",
    "pwd",
    "*_pwd",
    "*secret",
    "*secrets",
    "*secret_key",
    "*secretkey",
    "*token",
    "*authorization",
    "*api_key",
    "*apikey",
    "*access_key",
    "*accesskey",
    "*private_key",
    "*privatekey",
    "*signing_key",
    "*encryption_key",
    "*credential",
    "*credentials",
    "*cookie",
    "*cookies",
)


class Form(NamedTuple):
    """A secret that is known by its looks."""

    hint: str
    pattern: str


_KEY_BLOCK = (
    r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY-----[^-]*(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY-----)?"
)
FORMS = (
    Form("PRIVATE KEY-----", _KEY_BLOCK),
    Form("eyJ", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),  # RFC 7519
    Form("earer ", r"(?<=[Bb]earer )[A-Za-z0-9._~+/-]{16,}=*"),  # RFC 6750
    Form("AKIA", r"\bAKIA[0-9A-Z]{16}\b"),  # AWS access key ids, lasting
    Form("ASIA", r"\bASIA[0-9A-Z]{16}\b"),  # and temporary
    *(Form(f"gh{kind}_", rf"\bgh{kind}_[A-Za-z0-9]{{36,}}") for kind in "pousr"),  # GitHub
    Form("github_pat_", r"\bgithub_pat_[A-Za-z0-9_]{40,}"),
    Form("glpat-", r"\bglpat-[A-Za-z0-9_-]{20,}"),  # GitLab
    Form("xox", r"\bxox[abeprs]-[A-Za-z0-9-]{10,}"),  # Slack
    Form("AIza", r"\bAIza[A-Za-z0-9_-]{35}"),  # Google
    Form("_live_", r"\b[rs]k_live_[A-Za-z0-9]{16,}"),  # Stripe
    Form("://", r"(?<=://)[^\s/:@]{1,80}:[^\s/@]{1,200}(?=@)"),  # user:password@ of an address
)
