"""Decoding, resampling and the checks of one clip: real containers, made here, measured by their spectrum and length."""

import copy
import struct
import wave
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile as sf
from av.stream import Disposition
from hypothesis import given
from hypothesis import strategies as st

from calm_core import audio
from calm_core.audio import AUDIO_SUFFIXES, PICTURE_PIXELS, ClipError, ClipStatus, Recording, load, pictures, windows
from calm_core.dataset import preflight
from calm_core.errors import AudioError, OptionError
from calm_core.extraction import extract
from calm_core.readers import read_folder

TONE_HZ = 440.0
RATE_HZ = 16_000


def tone(rate_hz: int = RATE_HZ, seconds: float = 1.0, level: float = 0.3) -> np.ndarray:
    """A sine of TONE_HZ, float32, shape (n,)."""
    t = np.arange(round(rate_hz * seconds)) / rate_hz
    return (level * np.sin(2 * np.pi * TONE_HZ * t)).astype(np.float32)


def peak_hz(samples: np.ndarray, rate_hz: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    return float(np.argmax(spectrum) * rate_hz / samples.size)


def encode(path: Path, codec: str, rate_hz: int, *, layout: str = "mono", sound: bool = True, picture: bool = False) -> Path:
    """Write one second of the tone with FFmpeg's encoders, beside a black picture where asked."""
    with av.open(str(path), "w") as container:
        if picture:
            video = container.add_stream("libvpx" if path.suffix == ".webm" else "mpeg4", rate=25)
            video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        if sound:
            stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        if picture:
            black = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), dtype=np.uint8), format="rgb24")
            for _ in range(5):
                container.mux(video.encode(black))
            container.mux(video.encode(None))
        if sound:
            planes = np.tile(tone(rate_hz), (stream.layout.nb_channels, 1))
            frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
            frame.sample_rate = rate_hz
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def film(path: Path, levels: Sequence[int], *, sound: bool = True, size: tuple[int, int] = (320, 240)) -> Path:
    """A video of grey pictures (width, height), half a second of each level, beside a tone where asked."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height = size
        video.pix_fmt, video.bit_rate = "yuv420p", 2_000_000
        stream = container.add_stream("aac", rate=RATE_HZ, layout="mono") if sound else None
        for level in levels:
            grey = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), level, np.uint8), format="rgb24")
            for _ in range(5):
                container.mux(video.encode(grey))
        container.mux(video.encode(None))
        if stream:
            samples = tone(seconds=len(levels) / 2)
            frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
            frame.sample_rate = RATE_HZ
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def refusal(path: Path, **options: float) -> ClipError:
    with pytest.raises(ClipError) as caught:
        load(path, RATE_HZ, name="dog/03.wav", **options)
    assert "'dog/03.wav'" in str(caught.value), "every reason names the clip"
    return caught.value


# ---- what comes out --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target_hz", [16_000, 48_000])
@pytest.mark.parametrize("source_hz", [8_000, 22_050, 44_100, 48_000])
def test_resampling_keeps_pitch_level_and_duration(tmp_path, source_hz, target_hz):
    sf.write(tmp_path / "a.wav", tone(source_hz), source_hz, subtype="FLOAT")
    got = load(tmp_path / "a.wav", target_hz)
    assert (got.sample_rate_hz, got.source_rate_hz, got.source_channels, got.seconds) == (target_hz, source_hz, 1, 1.0)
    assert got.samples.dtype == np.float32
    assert got.samples.shape == (target_hz,)
    assert peak_hz(got.samples, target_hz) == pytest.approx(TONE_HZ, abs=1)
    assert got.samples[1000:-1000].max() == pytest.approx(0.3, abs=0.005), "the level is the file's own"


def test_without_a_target_the_samples_are_the_sources_own(tmp_path):
    sf.write(tmp_path / "a.wav", tone(22_050), 22_050, subtype="FLOAT")
    got = load(tmp_path / "a.wav", None)
    assert got.sample_rate_hz == 22_050
    np.testing.assert_array_equal(got.samples, tone(22_050))


def test_stereo_becomes_the_mean_of_its_channels(tmp_path):
    left, right = tone(), np.linspace(-0.5, 0.5, RATE_HZ, dtype=np.float32)
    sf.write(tmp_path / "a.wav", np.stack([left, right], axis=1), RATE_HZ, subtype="FLOAT")
    got = load(tmp_path / "a.wav", RATE_HZ)
    assert got.source_channels == 2
    np.testing.assert_allclose(got.samples, (left + right) / 2, atol=1e-7)


def test_reading_in_blocks_changes_nothing(tmp_path, monkeypatch):
    sf.write(tmp_path / "a.wav", np.stack([tone(), -0.2 * tone()], axis=1), RATE_HZ)
    whole = load(tmp_path / "a.wav", RATE_HZ)
    monkeypatch.setattr(audio, "BLOCK_SAMPLES", 1000)
    pieces = load(tmp_path / "a.wav", RATE_HZ)
    np.testing.assert_array_equal(pieces.samples, whole.samples)
    assert pieces.content_id == whole.content_id


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff", "au", "caf", "w64"])
def test_formats_of_libsndfile(tmp_path, suffix):
    path = tmp_path / f"a.{suffix.upper()}"
    sf.write(path, np.stack([tone(44_100)] * 2, axis=1), 44_100, format=suffix)
    got = load(path, RATE_HZ)
    assert peak_hz(got.samples, RATE_HZ) == pytest.approx(TONE_HZ, abs=2)
    assert got.seconds == pytest.approx(1.0, abs=0.06)
    assert path.suffix.lower() in AUDIO_SUFFIXES


@pytest.mark.parametrize(
    ("file", "codec", "rate_hz", "layout", "picture"),
    [
        ("phone.m4a", "aac", 44_100, "mono", False),
        ("lossless.m4a", "alac", 44_100, "stereo", False),
        ("browser.webm", "libopus", 48_000, "mono", False),
        ("video.mp4", "aac", 48_000, "stereo", True),
        ("video.webm", "libopus", 48_000, "stereo", True),
        ("video.mkv", "pcm_s16le", 22_050, "mono", True),
        ("bare.aac", "aac", 16_000, "mono", False),
        ("old.mp3", "libmp3lame", 44_100, "stereo", False),
    ],
)
def test_formats_of_ffmpeg_without_the_program(tmp_path, monkeypatch, file, codec, rate_hz, layout, picture):
    path = encode(tmp_path / file, codec, rate_hz, layout=layout, picture=picture)
    monkeypatch.setenv("PATH", "")
    got = load(path, RATE_HZ)
    assert (got.source_rate_hz, got.source_channels) == (rate_hz, 1 if layout == "mono" else 2)
    assert got.seconds == pytest.approx(1.0, abs=0.15), "encoders pad"
    assert peak_hz(got.samples, RATE_HZ) == pytest.approx(TONE_HZ, abs=2)
    assert np.abs(got.samples[4000:12000]).max() == pytest.approx(0.3, abs=0.05)
    assert path.suffix in AUDIO_SUFFIXES


@pytest.mark.parametrize(("file", "codec"), [("a.m4a", "aac"), ("a.mkv", "pcm_s16le")])
def test_eight_channels(tmp_path, file, codec):
    with av.open(str(tmp_path / file), "w") as container:
        stream = container.add_stream(codec, rate=RATE_HZ, layout="7.1")
        frame = av.AudioFrame.from_ndarray(np.repeat(tone(), 8)[None], format="flt", layout="7.1")  # packed: planar crashes PyAV 18.1
        frame.sample_rate = RATE_HZ
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    got = load(tmp_path / file, RATE_HZ)
    assert got.source_channels == 8
    assert got.seconds == pytest.approx(1.0, abs=0.1)
    assert peak_hz(got.samples, RATE_HZ) == pytest.approx(TONE_HZ, abs=2)


def test_a_flac_without_a_stated_length_is_read_to_its_end(tmp_path):
    sf.write(tmp_path / "stated.flac", tone(), RATE_HZ)
    head = bytearray((tmp_path / "stated.flac").read_bytes())
    head[21] &= 0xF0  # STREAMINFO's total samples, 36 bits: 0 is "unknown", as streaming encoders write
    head[22:26] = bytes(4)
    (tmp_path / "streamed.flac").write_bytes(head)
    got, stated = load(tmp_path / "streamed.flac", None), load(tmp_path / "stated.flac", None)
    assert got.seconds == 1.0
    assert got.content_id == stated.content_id


def test_an_mp3_without_an_index_is_read_to_its_end(tmp_path):
    """Three seconds whose bit rate changes: libsndfile, and FFmpeg's header, guess the length from the first frames."""
    rng = np.random.default_rng(0)
    sound = np.concatenate([0.3 * rng.standard_normal(44_100), 0.01 * tone(44_100, 2.0)]).astype(np.float32)
    sf.write(tmp_path / "a.mp3", sound, 44_100, bitrate_mode="VARIABLE")
    data = (tmp_path / "a.mp3").read_bytes()
    tag = max(data.find(b"Xing"), data.find(b"Info"))
    assert tag > 0
    (tmp_path / "b.mp3").write_bytes(data[:tag] + b"\0\0\0\0" + data[tag + 4 :])
    assert load(tmp_path / "b.mp3", RATE_HZ).seconds == pytest.approx(3.0, abs=0.1)


def test_content_id_follows_the_sound_not_the_file(tmp_path):
    ints = (tone(44_100) * 32_767).astype(np.int16)
    sf.write(tmp_path / "a.wav", ints, 44_100)
    sf.write(tmp_path / "b.flac", ints, 44_100)
    sf.write(tmp_path / "c.wav", ints, 22_050)
    ids = [load(path, rate).content_id for path in sorted(tmp_path.iterdir()) for rate in (16_000, 48_000)]
    assert ids[0] == ids[1] == ids[2] == ids[3]
    assert ids[4] == ids[5] != ids[0], "the rate is part of the sound"
    assert len(ids[0]) == 64


def test_clipping_warns_and_keeps_the_clip(tmp_path):
    sound = tone()
    sf.write(tmp_path / "clean.wav", sound, RATE_HZ)
    sound[: RATE_HZ // 20] = 1.0  # 5 %
    sf.write(tmp_path / "clipped.wav", sound, RATE_HZ)
    clean, clipped = load(tmp_path / "clean.wav", RATE_HZ), load(tmp_path / "clipped.wav", RATE_HZ)
    assert (clean.status, clean.warnings) == (ClipStatus.OK, ())
    assert clipped.status is ClipStatus.CLIPPED
    assert "5.0%" in clipped.warnings[0]
    assert "full scale" in clipped.warnings[0]


def test_a_recording_is_frozen():
    got = Recording(np.zeros(1, np.float32), 1, 1, 1, 1.0, "")
    with pytest.raises(AttributeError):
        got.seconds = 2.0


# ---- what is refused -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "status", "reason"),
    [
        (tone()[:0], ClipStatus.EMPTY, "0 samples"),
        (tone()[:320], ClipStatus.TOO_SHORT, "0.02 s long; at least 0.1 s is needed"),
        (np.full(RATE_HZ, np.nan, np.float32), ClipStatus.NOT_FINITE, "16000 samples that aren't numbers"),
        (np.where(np.arange(RATE_HZ) == 7, np.inf, tone()), ClipStatus.NOT_FINITE, "1 samples"),
        (np.zeros(RATE_HZ, np.float32), ClipStatus.SILENT, "it holds no sound at all"),
        (tone(level=1e-4), ClipStatus.SILENT, "-83.0 dBFS, at least -60 dBFS"),
        (np.full(RATE_HZ, 0.5, np.float32), ClipStatus.SILENT, "it holds no sound at all"),  # a constant offset is no sound
    ],
)
def test_reasons(tmp_path, samples, status, reason):
    sf.write(tmp_path / "a.wav", samples, RATE_HZ, subtype="FLOAT")
    error = refusal(tmp_path / "a.wav")
    assert error.status is status
    assert reason in str(error)
    assert isinstance(error, AudioError)
    assert (error.seconds, error.sample_rate_hz, error.channels) == (len(samples) / RATE_HZ, RATE_HZ, 1)


def test_limits_are_inclusive(tmp_path):
    sf.write(tmp_path / "short.wav", tone(seconds=0.1), RATE_HZ)
    assert load(tmp_path / "short.wav", RATE_HZ).seconds == pytest.approx(0.1)
    sf.write(tmp_path / "long.wav", tone(seconds=2.0), RATE_HZ)
    assert load(tmp_path / "long.wav", RATE_HZ, max_seconds=2.0).seconds == 2.0


def test_a_stated_length_over_the_limit_is_refused_undecoded(tmp_path, monkeypatch):
    sf.write(tmp_path / "a.wav", tone(seconds=3.0), RATE_HZ)
    monkeypatch.setattr(sf.SoundFile, "read", lambda *_, **__: pytest.fail("decoded"))
    error = refusal(tmp_path / "a.wav", max_seconds=2.5)
    assert error.status is ClipStatus.TOO_LONG
    assert "3.0 s long; at most 2.5 s" in str(error)
    assert error.seconds == 3.0


def test_an_unstated_length_stops_the_decoding_at_the_limit(tmp_path):
    error = refusal(encode(tmp_path / "a.aac", "aac", RATE_HZ), max_seconds=0.5)
    assert error.status is ClipStatus.TOO_LONG
    assert "longer than 0.5 s" in str(error)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "0 bytes"),
        (b"hello, I am a text file " * 100, "isn't audio"),
        (np.random.default_rng(0).bytes(20_000), "isn't audio"),
        (b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n", "isn't audio"),
        (b"ffconcat version 1.0\nfile /etc/hostname\n", "isn't audio"),
    ],
)
@pytest.mark.parametrize("suffix", ["wav", "raw", "m4a"])
def test_not_audio(tmp_path, content, reason, suffix):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    error = refusal(path)
    assert error.status is ClipStatus.UNREADABLE
    assert reason in str(error)


def test_too_many_channels(tmp_path):
    sf.write(tmp_path / "a.wav", np.repeat(tone()[:, None], 65, axis=1), RATE_HZ)
    error = refusal(tmp_path / "a.wav")
    assert (error.status, error.channels) == (ClipStatus.UNREADABLE, 65)
    assert "65 channels; at most 64" in str(error)


def test_missing_files_and_folders(tmp_path):
    assert "No such file" in str(refusal(tmp_path / "gone.wav"))
    assert "directory" in str(refusal(tmp_path))


@pytest.mark.parametrize("file", ["mute.mp4", "mute.webm", "mute.mkv"])
def test_a_video_without_sound(tmp_path, file):
    error = refusal(encode(tmp_path / file, "", 0, sound=False, picture=True))
    assert "no sound track" in str(error)


def test_videos_are_clips_like_others(tmp_path, fake_backbone):
    """From class folders to head vectors: the sound of a video is heard, and one without sound costs only itself."""
    for file, codec in (("a.mp4", "aac"), ("b.webm", "libopus"), ("c.mkv", "pcm_s16le")):
        (tmp_path / "bell").mkdir(exist_ok=True)
        encode(tmp_path / "bell" / file, codec, 48_000, picture=True)
    encode(tmp_path / "bell" / "mute.mp4", "", 0, sound=False, picture=True)
    *good, mute = preflight(read_folder(tmp_path).clips)
    assert [check.clip.name for check in good if check.usable] == ["bell/a.mp4", "bell/b.webm", "bell/c.mkv"]
    assert mute.reason == "clip 'bell/mute.mp4' has no sound track; choose a recording, or a video with sound."
    vectors = extract([check.clip.path for check in good], fake_backbone).values.reshape(3, -1)
    near = vectors @ vectors.T / np.linalg.norm(vectors, axis=1) / np.linalg.norm(vectors, axis=1)[:, None]
    assert near.min() > 0.9


@pytest.mark.parametrize(("file", "codec"), [("a.flac", "flac"), ("a.m4a", "aac"), ("a.webm", "libopus")])
def test_a_file_cut_in_the_middle_is_refused(tmp_path, file, codec):
    path = encode(tmp_path / file, codec, 48_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    error = refusal(path)
    assert error.status is ClipStatus.UNREADABLE
    assert "damaged" in str(error)


def test_a_hole_in_the_middle_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    sf.write(tmp_path / "a.ogg", 0.1 * rng.standard_normal(3 * RATE_HZ), RATE_HZ)
    data = bytearray((tmp_path / "a.ogg").read_bytes())
    middle = slice(len(data) // 2, len(data) // 2 + 6000)
    data[middle] = rng.bytes(6000)
    (tmp_path / "a.ogg").write_bytes(data)
    assert "s of its 3.00 s can be read" in str(refusal(tmp_path / "a.ogg"))


def test_what_is_left_of_a_cut_wav_can_be_used(tmp_path):
    """A recorder whose battery dies leaves such files, and all that is in them is sound."""
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes((tone() * 32_767).astype("<i2").tobytes())
    data = bytearray((tmp_path / "a.wav").read_bytes())
    data[40:44] = struct.pack("<I", 10**9)
    (tmp_path / "a.wav").write_bytes(data[:-RATE_HZ])
    assert load(tmp_path / "a.wav", RATE_HZ).seconds == pytest.approx(0.5)


def test_an_error_keeps_its_status_between_processes():
    error = copy.copy(ClipError("text", ClipStatus.SILENT, seconds=1.0))  # by __reduce_ex__, as worker processes send it
    assert (str(error), error.status, error.seconds) == ("text", ClipStatus.SILENT, 1.0)


# ---- windows ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "lengths_s"),
    [(0.05, [0.05]), (1.0, [1.0]), (2.0, [2.0]), (2.05, [2.0]), (2.1, [2.0, 0.1]), (5.0, [2.0, 2.0, 1.0]), (6.0, [2.0, 2.0, 2.0])],
)
def test_windows(seconds, lengths_s):
    sound = tone(1000, seconds)
    pieces = windows(sound, 1000, 2.0)
    assert [piece.size / 1000 for piece in pieces] == lengths_s
    assert all(np.shares_memory(piece, sound) for piece in pieces)


@given(st.integers(0, 5000), st.floats(0.1, 10))
def test_windows_are_the_clip_in_order(n, window_s):
    sound = np.arange(n, dtype=np.float32)
    joined = np.concatenate(windows(sound, 1000, window_s))
    np.testing.assert_array_equal(joined, sound[: joined.size])
    assert n - joined.size < 100, "less than MIN_SECONDS is dropped"


@pytest.mark.parametrize("window_s", [0.0, -1.0, 0.05, float("nan")])
def test_a_window_below_the_shortest_clip_is_refused(window_s):
    with pytest.raises(OptionError, match=r"at least 0\.1 s"):
        windows(tone(), RATE_HZ, window_s)


def test_an_endless_window_keeps_the_clip_whole():
    assert windows(tone(), RATE_HZ, float("inf"))[0].size == RATE_HZ


def test_pictures_of_a_video(tmp_path):
    levels = [10, 80, 150, 220]
    got = pictures(film(tmp_path / "a.mp4", levels), 28, 2.0)
    assert (got.shape, got.dtype) == ((4, 168, 252, 3), np.uint8)
    np.testing.assert_allclose(got.mean((1, 2, 3)), levels, atol=6)
    assert got[0, ..., 0].size <= PICTURE_PIXELS
    assert pictures(film(tmp_path / "wide.mp4", levels, size=(640, 32)), 28, 2.0).shape == (4, 28, 640 // 28 * 28, 3)
    assert len(pictures(film(tmp_path / "mute.mp4", levels, sound=False), 28, 2.0)) == 4


def test_pictures_last_as_long_as_the_sound(tmp_path):
    levels = [10, 80, 150, 220]
    video = film(tmp_path / "a.mp4", levels)
    assert len(pictures(video, 28, 0.1)) == 1
    np.testing.assert_allclose(pictures(video, 28, 3.1).mean((1, 2, 3)), [*levels, 220, 220, 220], atol=6)


def test_a_picture_stays_until_the_next(tmp_path):
    path = tmp_path / "still.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        for at, level in ((3, 20), (18, 200)):  # tenths of a second: it begins late, and then stands still
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), level, np.uint8), format="rgb24")
            frame.pts, frame.time_base = at, Fraction(1, 10)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    np.testing.assert_allclose(pictures(path, 28, 2.0).mean((1, 2, 3)), [20, 20, 20, 200], atol=6)


def test_what_shows_nothing(tmp_path):
    sf.write(tmp_path / "a.wav", tone(), RATE_HZ)
    assert pictures(tmp_path / "a.wav", 28, 1.0) is None
    assert pictures(encode(tmp_path / "a.m4a", "aac", 44_100), 28, 1.0) is None
    (tmp_path / "a.mp4").write_bytes(b"no video at all" * 100)
    with pytest.raises(ClipError, match=r"'dog/03.mp4': its pictures can't be decoded"):
        pictures(tmp_path / "a.mp4", 28, 1.0, name="dog/03.mp4")


def test_a_cover_is_no_video(tmp_path):
    with av.open(str(encode(tmp_path / "a.m4a", "aac", RATE_HZ))) as song, av.open(str(tmp_path / "covered.mp4"), "w") as container:
        stream = container.add_stream_from_template(song.streams.audio[0])
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt, cover.disposition = 64, 64, "yuvj420p", Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        container.mux(cover.encode(None))
        for packet in song.demux(song.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    assert load(tmp_path / "covered.mp4", RATE_HZ).seconds == pytest.approx(1.0, abs=0.15)
    assert pictures(tmp_path / "covered.mp4", 28, 1.0) is None
