"""From the checked configuration to the plain values that the daemon works from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ooblexd.config.ice import ports_of
from ooblexd.effects.packages import effect_kind
from ooblexd.plan import (
    CropPlan,
    DaemonPlan,
    EffectPlan,
    IceServerPlan,
    InputPlan,
    PushPlan,
    RtspPlan,
    StreamPlan,
    WebrtcPlan,
)

if TYPE_CHECKING:
    from ooblexd.config.schema import (
        Config,
        EffectConfig,
        StreamConfig,
        WebrtcConfig,
    )

_MOST_AUTO_WORKERS = 4


def plan_of(config: Config, cores: int | None = None) -> DaemonPlan:
    """Return what the daemon is to do.

    Args:
        config: Checked.
        cores: That the daemon may use, for ``workers = "auto"``; None asks the system.
    """
    if cores is None:
        cores = len(os.sched_getaffinity(0))
    workers = config.inference.workers
    return DaemonPlan(
        host=config.http.host,
        port=config.http.port,
        config_path=str(config.location.path),
        allowed_hosts=config.http.allowed_hosts,
        rtsp=RtspPlan(**config.rtsp.model_dump()),
        inference_workers=workers if isinstance(workers, int) else auto_workers(cores),
        inference_threads=config.inference.threads,
        engine=config.inference.engine,
        log_level=config.log.level,
        log_format=config.log.format,
        is_demo=config.location.is_demo,
        config_digest=config.location.digest,
        webrtc=plan_of_webrtc(config.webrtc),
        streams=tuple(plan_of_stream(*item) for item in config.streams.items()),
    )


def plan_of_stream(name: str, stream: StreamConfig) -> StreamPlan:
    """Return what is to be done for one stream."""
    return StreamPlan(
        name=name,
        source=stream.source,
        input=InputPlan(**stream.input.model_dump()),
        transport=stream.transport,
        audio=stream.audio,
        max_fps=stream.max_fps,
        rotate=stream.rotate,
        flip=stream.flip,
        crop=CropPlan(**stream.crop.model_dump()),
        max_age_ms=stream.max_age_ms,
        jpeg_quality=stream.jpeg_quality,
        effects=tuple(plan_of_effect(effect) for effect in stream.effects),
        push=tuple(PushPlan(**push.model_dump()) for push in stream.push),
        enabled=stream.enabled,
        publish_key=stream.publish_key,
    )


def plan_of_webrtc(webrtc: WebrtcConfig) -> WebrtcPlan:
    """Return how viewers by WebRTC reach the daemon."""
    first_port, last_port = ports_of(webrtc.udp_ports)
    return WebrtcPlan(
        ice_servers=tuple(
            IceServerPlan(**one.model_dump()) for one in webrtc.ice_servers
        ),
        credentials_ttl_s=webrtc.credentials_ttl_s,
        additional_hosts=webrtc.additional_hosts,
        first_port=first_port,
        last_port=last_port,
        data_channel_control=webrtc.data_channel_control,
    )


def auto_workers(cores: int) -> int:
    """Return how many inference workers a box gets.

    One for every two cores, 1 to 4: the other half decodes and encodes. It does not
    depend on the streams, since adding one must not disturb the rest.
    """
    return min(max(cores // 2, 1), _MOST_AUTO_WORKERS)


def plan_of_effect(effect: EffectConfig) -> EffectPlan:
    """Return what is to be done by one effect of a chain."""
    kind = effect_kind(effect.effect)
    return EffectPlan(
        effect=effect.effect,
        mode=effect.mode,
        on_failure=effect.on_failure,
        deadline_ms=effect.deadline_ms,
        is_privacy=kind.is_privacy,
        guards=kind.guards,
        runs_unwatched=kind.runs_unwatched,
        parameters=effect.parameters,
    )
