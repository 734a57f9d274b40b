"""The synthesis room: endless labelled sounds made from physics-like parts (pulses, modes, grains, moving bands), no recordings.

`render` makes one clean sound of a named family, `augment` puts it through a room, a microphone and a noise bed, `attributes`
measures two words about any waveform. Every draw comes from the generator passed in, so a seed is a sound.
It knows nothing of models, mel frames, prompts, data sets or training. To listen: python -m tools.synth --out DIR
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import animals, household, machines, music, nature, people
from .basics import SAMPLE_RATE_HZ, Rng, Synth
from .conditions import augment
from .measure import attributes

__all__ = ["FAMILIES", "SAMPLE_RATE_HZ", "Synth", "attributes", "augment", "render"]

FAMILIES: dict[str, Synth] = {
    "dog bark": animals.dog_bark,
    "dog growl": animals.dog_growl,
    "cat meow": animals.cat_meow,
    "rooster crow": animals.rooster_crow,
    "hen cluck": animals.hen_cluck,
    "bird chirp": animals.bird_chirp,
    "bird song": animals.bird_song,
    "owl hoot": animals.owl_hoot,
    "pigeon coo": animals.pigeon_coo,
    "crow caw": animals.crow_caw,
    "seagull cry": animals.seagull_cry,
    "duck quack": animals.duck_quack,
    "frog croak": animals.frog_croak,
    "cricket": animals.cricket,
    "cicada": animals.cicada,
    "insect buzz": animals.insect_buzz,
    "cow moo": animals.cow_moo,
    "sheep bleat": animals.sheep_bleat,
    "pig grunt": animals.pig_grunt,
    "wolf howl": animals.wolf_howl,
    "horse gallop": animals.horse_gallop,
    "baby cry": people.baby_cry,
    "laughter": people.laughter,
    "sneeze": people.sneeze,
    "cough": people.cough,
    "breathing": people.breathing,
    "snore": people.snore,
    "scream": people.scream,
    "whistle": people.whistle,
    "humming": people.humming,
    "speech": people.speech,
    "singing": people.singing,
    "crowd babble": people.crowd_babble,
    "footsteps": people.footsteps,
    "clap": people.clap,
    "applause": people.applause,
    "drinking": people.drinking,
    "brushing": people.brushing,
    "rain": nature.rain,
    "hail": nature.hail,
    "thunder": nature.thunder,
    "wind": nature.wind,
    "sea waves": nature.sea_waves,
    "stream": nature.stream,
    "bubbles": nature.bubbles,
    "water drops": nature.water_drops,
    "pouring water": nature.pouring_water,
    "fire crackle": nature.fire_crackle,
    "clock tick": household.clock_tick,
    "door knock": household.door_knock,
    "door creak": household.door_creak,
    "keyboard typing": household.keyboard_typing,
    "mouse click": household.mouse_click,
    "glass break": household.glass_break,
    "glass clink": household.glass_clink,
    "can opening": household.can_opening,
    "vacuum cleaner": household.vacuum_cleaner,
    "washing machine": household.washing_machine,
    "toilet flush": household.toilet_flush,
    "alarm clock": household.alarm_clock,
    "telephone": household.telephone,
    "church bell": household.church_bell,
    "hand bell": household.hand_bell,
    "wind chimes": household.wind_chimes,
    "metal clang": household.metal_clang,
    "wood hit": household.wood_hit,
    "plastic rattle": household.plastic_rattle,
    "zipper": household.zipper,
    "hand saw": household.hand_saw,
    "chainsaw": machines.chainsaw,
    "drill": machines.drill,
    "hammer": machines.hammer,
    "helicopter": machines.helicopter,
    "airplane": machines.airplane,
    "engine idle": machines.engine_idle,
    "engine revving": machines.engine_revving,
    "motorbike": machines.motorbike,
    "train": machines.train,
    "car horn": machines.car_horn,
    "siren": machines.siren,
    "fireworks": machines.fireworks,
    "gunshot": machines.gunshot,
    "jackhammer": machines.jackhammer,
    "steam hiss": machines.steam_hiss,
    "electric hum": machines.electric_hum,
    "piano": music.piano,
    "guitar": music.guitar,
    "flute": music.flute,
    "violin": music.violin,
    "organ": music.organ,
    "drum": music.drum,
    "synth bass": music.synth_bass,
}


def render(family: str, rng: Rng, seconds: float = 5.0) -> NDArray[np.float32]:
    """One clean sound, peak 1."""
    if family not in FAMILIES:
        raise KeyError(f"no family {family!r} in the synthesis table; choose one of: {', '.join(sorted(FAMILIES))}")
    n = round(seconds * SAMPLE_RATE_HZ)
    wave = np.nan_to_num(np.asarray(FAMILIES[family](rng, n), dtype=np.float32))
    wave -= wave.mean()
    peak = np.abs(wave).max()
    if peak < 1e-9:  # an event may fall outside a very short clip
        return render(family, rng, seconds)
    return wave / peak
