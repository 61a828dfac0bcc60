"""`/usage`: what was used, by app, session or organisation, and by hour, day or month."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from stagedoor.api.authentication import UsageRead
from stagedoor.api.deferred_route import DeferredRoute
from stagedoor.api.prefix import PREFIX
from stagedoor.api.problems import documented
from stagedoor.api.services import ServicesDep
from stagedoor.api.wire import NO_NUL, Data, ResponseModel, Timestamp
from stagedoor.kernel.clock import from_rfc3339, now_ms, rfc3339
from stagedoor.kernel.errors import Invalid
from stagedoor.storage import Transaction
from stagedoor.tenancy import apps, organisations
from stagedoor.usage import store
from stagedoor.usage.meters import HOUR_MS, MEANINGS, Amounts, minutes

router = APIRouter(route_class=DeferredRoute, prefix=f"{PREFIX}/usage", tags=["Usage"])

MOST_ROWS: Final = 10_000
_MONTH_MS: Final = 31 * 24 * HOUR_MS
Bucket = Literal["hour", "day", "month", "all"]
_SPANS: Final[dict[Bucket, int | None]] = {"hour": HOUR_MS, "day": 24 * HOUR_MS, "month": 24 * HOUR_MS, "all": None}
"""What is summed up in the database; months are made of days here."""

Group = Literal["organisation", "app", "session"]


class UsageMinutes(ResponseModel):
    """Minutes by meter."""

    participant_minutes: float = Field(description=MEANINGS["participant"], examples=[59.0])
    audio_track_minutes: float = Field(description=MEANINGS["audio_track"], examples=[58.0])
    video_track_minutes: float = Field(description=MEANINGS["video_track"], examples=[29.5])
    ingress_minutes: float = Field(description=MEANINGS["ingress"], examples=[0.0])
    egress_minutes: float = Field(description=MEANINGS["egress"], examples=[0.0])
    recording_minutes: float = Field(description=MEANINGS["recording"], examples=[0.0])
    camera_minutes: float = Field(description=MEANINGS["camera"], examples=[0.0])
    viewer_minutes: float = Field(description=MEANINGS["viewer"], examples=[0.0])

    @staticmethod
    def of(amounts: Amounts) -> UsageMinutes:
        """For the wire."""
        return UsageMinutes.model_validate(minutes(amounts))


class UsageRow(ResponseModel):
    """What one organisation, app or session used in one span of time."""

    start: str | None = Field(
        description="When the span begins; null for all of it.", examples=["2026-01-31T12:00:00.000Z"]
    )
    organisation: str = Field(description="The organisation's id.", examples=["org_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"])
    app: str | None = Field(
        description="The app's id; null when grouped by organisation.", examples=["app_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"]
    )
    session: str | None = Field(
        description="The session's id, when grouped by session.", examples=["ses_01JDA8R3S2Y6Q0V9X4T7W5Z1BC"]
    )
    usage: UsageMinutes = Field(description="What was used.")


@router.get("", summary="What was used", responses=documented(401, 403, 404, 422, 503))
async def get_usage(
    services: ServicesDep,
    caller: UsageRead,
    since: Annotated[
        Timestamp | None,
        Query(
            description="From the hour of this time on; 31 days ago if not given.", examples=["2026-01-01T00:00:00Z"]
        ),
    ] = None,
    until: Annotated[
        Timestamp | None, Query(description="Up to this time; now if not given.", examples=["2026-02-01T00:00:00Z"])
    ] = None,
    group: Annotated[Group, Query(description="What each row is about.", examples=["app"])] = "app",
    bucket: Annotated[Bucket, Query(description="Length of a row's span, in UTC.", examples=["day"])] = "day",
    organisation: Annotated[
        str | None,
        Query(
            max_length=64,
            pattern=NO_NUL,
            description="Only the usage of this organisation, by slug or id.",
            examples=["default"],
        ),
    ] = None,
    app: Annotated[
        str | None,
        Query(
            max_length=64, pattern=NO_NUL, description="Only the usage of this app, by slug or id.", examples=["live"]
        ),
    ] = None,
) -> Data[list[UsageRow]]:
    """Minutes by the hour in which they ran. A session is counted some seconds after its end, and while it lasts every
    five minutes; cameras and viewers are counted every ten seconds."""
    end = now_ms() + HOUR_MS if until is None else from_rfc3339(until)
    begin = end - _MONTH_MS if since is None else from_rfc3339(since)
    begin -= begin % HOUR_MS

    def look(tx: Transaction) -> list[tuple[str, str | None, str | None, int, Amounts]]:
        return store.used(
            tx,
            caller,
            per=group,
            span_ms=_SPANS[bucket],
            since=begin,
            until=end,
            organisation_id=None if organisation is None else organisations.get(tx, caller, organisation).id,
            app_id=None if app is None else apps.get(tx, caller, app).id,
            limit=MOST_ROWS + 1,
        )

    found = await services.database.read(look)
    if len(found) > MOST_ROWS:
        raise Invalid(
            f"This is more than {MOST_ROWS:,} rows of usage; ask for a shorter time, a longer bucket, or one app.",
            code="too_much_usage",
            extra={"limit": MOST_ROWS},
        )
    rows: defaultdict[tuple[int | None, str, str | None, str | None], Amounts] = defaultdict(Amounts)
    for organisation_id, app_id, session_id, start, amounts in found:
        rows[_start(start, bucket), organisation_id, app_id, session_id] += amounts
    return Data(
        data=[
            UsageRow(
                start=None if start is None else rfc3339(start),
                organisation=organisation_id,
                app=app_id,
                session=session_id,
                usage=UsageMinutes.of(amounts),
            )
            for (start, organisation_id, app_id, session_id), amounts in rows.items()
        ]
    )


def _start(start: int, bucket: Bucket) -> int | None:
    """When the bucket that the span is in begins."""
    if bucket == "all":
        return None
    if bucket != "month":
        return start
    return int(datetime.fromtimestamp(start / 1000, UTC).replace(day=1, hour=0).timestamp() * 1000)
