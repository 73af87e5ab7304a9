"""Each adapter is needed with the aiortc that is installed, and does what it should."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta, timezone

import pytest
from aiortc import RTCCertificate, RTCPeerConnection
from aiortc.rtcdtlstransport import SRTP_PROFILES
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from ooblexd.webrtc.adapters import Certificate, use_certificate


def answer_with(certificate: Certificate) -> str:
    """Return the SDP of a connection that uses ``certificate``."""

    async def offer() -> str:
        connection = RTCPeerConnection()
        use_certificate(connection, certificate)
        connection.addTransceiver("video")
        await connection.setLocalDescription(await connection.createOffer())
        sdp: str = connection.localDescription.sdp
        await connection.close()
        return sdp

    return asyncio.run(offer())


def test_an_answer_has_the_one_fingerprint_that_all_understand() -> None:
    sdp = answer_with(Certificate.generateCertificate())

    lines = [line for line in sdp.splitlines() if line.startswith("a=fingerprint:")]
    assert len(lines) == 1
    assert lines[0].startswith("a=fingerprint:sha-256 ")


def rsa_peer() -> SSL.Context:
    """Return a DTLS client with an RSA certificate, as GStreamer's is."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peer")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    context = SSL.Context(SSL.DTLS_METHOD)
    context.use_certificate(certificate)
    context.use_privatekey(key)
    return context


def shake_hands(client: SSL.Context, server: SSL.Context) -> str:
    """Return the cipher that two contexts agree on."""
    ends = [SSL.Connection(context, None) for context in (client, server)]
    ends[0].set_connect_state()
    ends[1].set_accept_state()
    done = [False, False]
    for _ in range(20):
        for index, end in enumerate(ends):
            if not done[index]:
                with suppress(SSL.WantReadError):
                    end.do_handshake()
                    done[index] = True
            with suppress(SSL.WantReadError):
                ends[1 - index].bio_write(end.bio_read(1 << 16))
        if all(done):
            return str(ends[0].get_cipher_name())
    raise AssertionError("no end of the handshake")


def test_a_peer_with_an_rsa_certificate_finds_a_cipher() -> None:
    # The passive peer's certificate decides: here the peer is the DTLS server.
    ours = Certificate.generateCertificate()._create_ssl_context(SRTP_PROFILES)

    assert shake_hands(ours, rsa_peer()).startswith("ECDHE-RSA-")


def test_without_the_adapter_it_finds_none() -> None:
    theirs = RTCCertificate.generateCertificate()._create_ssl_context(SRTP_PROFILES)

    with pytest.raises(SSL.Error):
        shake_hands(theirs, rsa_peer())
