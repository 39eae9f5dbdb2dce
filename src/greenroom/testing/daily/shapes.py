"""What Daily's requests may hold. Whatever is not named here is refused, as Daily does.

The names and types: https://docs.daily.co/reference/rest-api/rooms/create-room,
…/meeting-tokens/create-meeting-token, …/rooms/session/eject, …/rooms/session/send-app-message,
…/webhooks/create-webhook.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from greenroom.testing.daily.refusals import invalid

MAX_NAME_CHARS = 128
MAX_USER_ID_CHARS = 36
MAX_EJECTED = 100
MAX_APP_MESSAGE_BYTES = 4 * 1024

S = TypeVar("S", bound="Shape")

RoomName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_NAME_CHARS, pattern=r"^[A-Za-z0-9_-]+$"),
]
Recording = Literal["cloud", "cloud-audio-only", "local", "raw-tracks"]
# Times are whole seconds in the documents; Pipecat's helper sends fractions, which are taken.
Time = Annotated[float, Field(ge=0)]


class Shape(BaseModel):
    """A body, or a part of one: nothing is guessed and nothing is passed over."""

    model_config = ConfigDict(extra="forbid", strict=True)


class RoomProperties(Shape):
    """``properties`` of a room."""

    nbf: Time | None = None
    exp: Time | None = None
    max_participants: Annotated[int, Field(ge=1)] | None = None
    eject_at_room_exp: bool | None = None
    eject_after_elapsed: Annotated[int, Field(ge=1)] | None = None
    enforce_unique_user_ids: bool | None = None
    enable_knocking: bool | None = None
    enable_screenshare: bool | None = None
    enable_chat: bool | None = None
    enable_advanced_chat: bool | None = None
    enable_shared_chat_history: bool | None = None
    enable_prejoin_ui: bool | None = None
    enable_people_ui: bool | None = None
    enable_pip_ui: bool | None = None
    enable_network_ui: bool | None = None
    enable_emoji_reactions: bool | None = None
    enable_hand_raising: bool | None = None
    enable_noise_cancellation_ui: bool | None = None
    enable_video_processing_ui: bool | None = None
    enable_live_captions_ui: bool | None = None
    enable_breakout_rooms: bool | None = None
    enable_hidden_participants: bool | None = None
    enable_mesh_sfu: bool | None = None
    enable_adaptive_simulcast: bool | None = None
    enable_multiparty_adaptive_simulcast: bool | None = None
    enable_terse_logging: bool | None = None
    enable_transcription_storage: bool | None = None
    enable_dialout: bool | None = None
    enable_recording: Recording | None = None
    experimental_optimize_large_calls: bool | None = None
    owner_only_broadcast: bool | None = None
    start_video_off: bool | None = None
    start_audio_off: bool | None = None
    sfu_switchover: float | None = None
    lang: str | None = None
    geo: str | None = None
    rtmp_geo: str | None = None
    disable_rtmp_geo_fallback: bool | None = None
    meeting_join_hook: str | None = None
    signaling_impl: str | None = None
    recordings_template: str | None = None
    transcription_template: str | None = None
    recordings_bucket: dict[str, Any] | None = None
    transcription_bucket: dict[str, Any] | None = None
    auto_transcription_settings: dict[str, Any] | None = None
    streaming_endpoints: list[dict[str, Any]] | None = None
    permissions: dict[str, Any] | None = None
    dialin: dict[str, Any] | None = None
    dialout_config: dict[str, Any] | None = None
    sip: dict[str, Any] | None = None


class CreateRoom(Shape):
    """``POST /rooms``. A room is public unless it is said to be private."""

    name: RoomName | None = None
    privacy: Literal["public", "private"] = "public"
    properties: RoomProperties = Field(default_factory=RoomProperties)


class UpdateRoom(Shape):
    """``POST /rooms/{name}``: what is not named stays as it is; ``null`` unsets a property."""

    privacy: Literal["public", "private"] | None = None
    properties: RoomProperties = Field(default_factory=RoomProperties)


class TokenProperties(Shape):
    """``properties`` of a meeting token."""

    room_name: RoomName | None = None
    user_id: Annotated[str, StringConstraints(max_length=MAX_USER_ID_CHARS)] | None = None
    user_name: str | None = None
    is_owner: bool | None = None
    nbf: int | None = None
    exp: int | None = None
    eject_at_token_exp: bool | None = None
    eject_after_elapsed: Annotated[int, Field(ge=1)] | None = None
    knocking: bool | None = None
    enable_screenshare: bool | None = None
    enable_recording: Recording | None = None
    enable_recording_ui: bool | None = None
    enable_prejoin_ui: bool | None = None
    enable_live_captions_ui: bool | None = None
    enable_terse_logging: bool | None = None
    start_video_off: bool | None = None
    start_audio_off: bool | None = None
    start_cloud_recording: bool | None = None
    start_cloud_recording_opts: dict[str, Any] | None = None
    auto_start_transcription: bool | None = None
    close_tab_on_exit: bool | None = None
    redirect_on_meeting_exit: str | None = None
    lang: str | None = None
    permissions: dict[str, Any] | None = None


class CreateToken(Shape):
    """``POST /meeting-tokens``."""

    properties: TokenProperties = Field(default_factory=TokenProperties)


class Eject(Shape):
    """``POST /rooms/{name}/eject``."""

    ids: list[str] = Field(default_factory=list, max_length=MAX_EJECTED)
    user_ids: list[str] = Field(default_factory=list, max_length=MAX_EJECTED)
    ban: bool = False


class SendAppMessage(Shape):
    """``POST /rooms/{name}/send-app-message``."""

    data: dict[str, Any]
    recipient: str = "*"


EventType = Literal[
    "meeting.started",
    "meeting.ended",
    "participant.joined",
    "participant.left",
    "waiting-participant.joined",
    "waiting-participant.left",
    "recording.started",
    "recording.ready-to-download",
    "recording.error",
]


class CreateWebhook(Shape):
    """``POST /webhooks``."""

    url: str
    basicAuth: str | None = None
    hmac: str | None = None
    retryType: Literal["circuit-breaker", "exponential"] = "circuit-breaker"
    eventTypes: list[EventType] | None = None


def read(shape: type[S], body: Any) -> S:
    """A body in its shape.

    Raises:
        Refusal: It has something unknown, something wrong, or lacks something.
    """
    try:
        return shape.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise invalid(f"unknown parameter '{where}'") from None
        raise invalid(f"parameter '{where}': {first['msg']}") from None
