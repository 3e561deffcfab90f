"""What a person wears: suits or single clothes, shoes, hair, hat, glasses, eyes and brows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ttpose_synth.body import BodyShape
from ttpose_synth.garments import Wardrobe

Paint = Literal["own", "recoloured", "hair"]


@dataclass(frozen=True)
class Piece:
    """One thing to put on.

    Attributes:
        key: In the wardrobe, or `shell/top` and `shell/bottom` for clothes cut from the body.
        lift: Metres that it is drawn nearer to the camera, so that outer layers win over inner ones.
        paint: As stored, as new cloth, or in a natural hair colour.
        holes: Whether its alpha channel cuts holes.
        specular: Strength of the highlight.
    """

    key: str
    lift: float = 0.0
    paint: Paint = "recoloured"
    holes: bool = True
    specular: float = 0.0


@dataclass(frozen=True)
class Collection:
    """Names of garments to choose from, and how often; chosen by eye, for variety.

    Children get suits and clothes cut from the body only: dresses and skirts are made for adult shapes.
    """

    suits: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            "male": (
                "male_casualsuit01", "male_casualsuit02", "male_casualsuit03", "male_casualsuit04",
                "male_casualsuit05", "male_casualsuit06", "male_elegantsuit01",
            ),
            "female": (
                "female_casualsuit01", "female_casualsuit02", "female_elegantsuit01", "female_sportsuit01",
            ),
        }
    )  # fmt: skip
    tops: tuple[str, ...] = ("Tank_Top_01", "VNeckTop", "Sleeveless", "spaghetti-top", "short_tail_camo_tee")
    bottoms: tuple[str, ...] = ("Tightjeans", "ShortJeans", "JeansSkirt", "miniskirt", "Skirt_Full_Long")
    dresses: tuple[str, ...] = ("F_Dress_01", "F_Dress_02", "F_Dress_04", "TubeDress")
    shoes: tuple[str, ...] = ("shoes01", "shoes02", "shoes03", "shoes04", "shoes05", "shoes06", "WinterBoots")
    hats: tuple[str, ...] = ("Fishing_Hat_01", "fedora", "fedora_cocked")
    hair: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            "male": ("short01", "short02", "short03", "short04", "afro01"),
            "female": ("bob01", "bob02", "long01", "ponytail01", "Braid01", "short03", "afro01"),
        }
    )
    suit_share: float = 0.40
    shell_share: float = 0.25
    skirt_share: float = 0.20  # of all women; the rest wear dresses
    dress_over_trousers: float = 0.3
    coat_share: float = 0.07
    shoes_share: float = 0.85
    hat_share: float = 0.12
    bald_share: float = 0.12
    glasses_share: float = 0.12


def choose_outfit(
    collection: Collection, wardrobe: Wardrobe, rng: np.random.Generator, shape: BodyShape
) -> Iterator[Piece]:
    """Draw what a person wears, piece by piece, from the inside out."""
    yield from _clothes(collection, rng, shape)
    if shape.gender == "female" and rng.random() < collection.coat_share:
        yield Piece("clothes/Coat", lift=0.03)
    if rng.random() < collection.shoes_share:
        yield Piece(f"clothes/{rng.choice(collection.shoes)}", lift=0.01, specular=0.1)
    yield from _head(collection, wardrobe, rng, shape.gender)


def _clothes(collection: Collection, rng: np.random.Generator, shape: BodyShape) -> Iterator[Piece]:
    draw = rng.random()
    suits, shells = collection.suit_share, collection.suit_share + collection.shell_share
    if draw < suits:
        yield Piece(f"clothes/{rng.choice(collection.suits[shape.gender])}", lift=0.008)
    elif draw < shells or shape.gender == "male" or shape.is_child:
        yield Piece("shell/bottom", lift=0.008)
        yield Piece("shell/top", lift=0.014)
    elif draw < shells + collection.skirt_share:
        yield Piece(f"clothes/{rng.choice(collection.bottoms)}", lift=0.008)
        yield Piece(f"clothes/{rng.choice(collection.tops)}", lift=0.012)
    else:
        yield Piece(f"clothes/{rng.choice(collection.dresses)}", lift=0.012)
        if rng.random() < collection.dress_over_trousers:
            yield Piece("shell/bottom", lift=0.006)


def _head(collection: Collection, wardrobe: Wardrobe, rng: np.random.Generator, gender: str) -> Iterator[Piece]:
    hat = rng.random() < collection.hat_share
    if not (gender == "male" and rng.random() < collection.bald_share):
        yield Piece(f"hair/{rng.choice(collection.hair[gender])}", lift=0.006, paint="hair", specular=0.08)
    if hat:
        yield Piece(f"clothes/{rng.choice(collection.hats)}", lift=0.03, holes=False)
    if rng.random() < collection.glasses_share:
        yield Piece("clothes/glasses", lift=0.01, paint="own")
    yield Piece("eyes/Low-Poly", paint="own", holes=False, specular=0.3)
    yield Piece(str(rng.choice(wardrobe.keys("eyebrows"))), lift=0.006, paint="own")
