"""Why a webhook that arrived was not taken, in words, by what the running instance counted."""

from __future__ import annotations

from stagedoor.doctor.result import CheckResult, broken

_CLOCK = "Let both machines set their clocks by NTP; the check `clock` says how far apart they are."


def refused(check: str, reason: str, api_key: str) -> CheckResult:
    """The finding for a signature that was refused for this reason (a label of the metric)."""
    sentence, next_step = {
        "unknown_key": (
            "it is signed with an API key that Stagedoor does not know",
            f"Set `webhook.api_key` in LiveKit's configuration to {api_key} and restart LiveKit, or give Stagedoor the"
            " other key as well with STAGEDOOR_LIVEKIT_WEBHOOK_EXTRA_KEYS=key:secret.",
        ),
        "bad_signature": (
            "its signature is by another secret than ours",
            f"Give Stagedoor's LIVEKIT_API_SECRET and the secret of {api_key} under `keys` in LiveKit's configuration"
            " the same value, exactly, and restart the one that was changed.",
        ),
        "missing": (
            "it has no signature",
            "A proxy between LiveKit and Stagedoor takes the header Authorization away: let it pass, or let LiveKit"
            " send to Stagedoor directly.",
        ),
        "other_scheme": (
            "its header Authorization is not LiveKit's",
            "A proxy between LiveKit and Stagedoor puts its own Authorization (such as Basic) in the place of"
            " LiveKit's: let it pass, or let LiveKit send to Stagedoor directly.",
        ),
        "not_jwt": (
            "its header Authorization holds no JWT as LiveKit makes them",
            "See what sends to the webhook's address; if it is LiveKit, a proxy between them changes the header"
            " Authorization: let it pass as it is.",
        ),
        "no_digest": (
            "its signature names no body (the JWT has no claim `sha256`)",
            "Something sends a token that is for another purpose, such as a join token; let LiveKit itself send the"
            " webhooks.",
        ),
        "body_changed": (
            "its signature is for another body",
            "A proxy between LiveKit and Stagedoor changes the body: let it pass as it is.",
        ),
        "expired": ("its signature has expired", _CLOCK),
        "not_yet": ("its signature is from the future", _CLOCK),
    }.get(reason, (f"its signature is refused ({reason})", "Compare LIVEKIT_API_KEY and LIVEKIT_API_SECRET."))
    return broken(check, f"The webhook arrives, but {sentence}.", next_step)


def not_taken(check: str, result: str) -> CheckResult:
    """The finding for a webhook whose signature is right and which was not stored."""
    sentence, next_step = {
        "unavailable": ("it could not be stored", "Fix `database` and `disk`; LiveKit tries again for 15 s only."),
        "too_large": ("it is larger than the limit", "Raise STAGEDOOR_LIVEKIT_WEBHOOK_MAX_BYTES."),
    }.get(result, ("it is not an event as LiveKit sends them", "See what else sends to the webhook's address."))
    return broken(check, f"The webhook arrives and its signature is right, but {sentence}.", next_step)
