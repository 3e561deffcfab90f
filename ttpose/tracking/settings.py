"""The numbers of following people through a clip. Lengths of a body are in shares of its box's longer side."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrackSettings:
    """How often to look for people, and when two boxes are the same person."""

    # Looking
    per_second: float = 4.5  # a sprinter moves about one body height in between; costs 0.15 s for 1 s of video
    least_samples: int = 12  # of a short clip, so that duration and continuity mean something
    most_samples: int = 1200  # of a long clip; beyond 4.4 minutes samples move apart ...
    least_per_second: float = 2.0  # ... but no further than this, or people could not be told apart by motion
    keep_score: float = 0.22  # weak boxes may continue a person (a flip scores 0.2 to 0.4), never begin one
    sure_score: float = 0.5  # a person found with less is searched again, enlarged
    zoom: float = 1.9  # side of the enlarged square over the person's side: room for motion and raised arms
    zoom_size: int = 416  # the one input size for it
    most_zooms: int = 2  # per sample, the largest lost people first
    search_score: float = 0.5  # in enlarged parts of a frame without people; more is asked, for more is searched
    most_searches: int = 24  # of one clip; five enlarged parts each

    # Linking boxes of successive samples
    reach: float = 0.35  # how far a box may lie from where motion predicts it ...
    reach_per_second: float = 2.2  # ... growing with time; a falling body covers 0.8 of its height in 0.23 s
    most_reach: float = 2.0
    size_ratio: float = 2.2  # crouching or a somersault halves the side, a leap doubles it
    appearance_limit: float = 0.7  # Hellinger distance; successive boxes of one person measured up to 0.45
    weak_overlap: float = 0.3  # a weak box must lie this much where the person is expected (intersection over union)
    lost_s: float = 1.0  # a person unseen for longer is no longer linked, only joined
    same_appearance: float = 0.3  # most successive boxes of one person measured less
    margin: float = 0.15  # a link must be better than exchanging people by this much, else it is cut

    # Joining pieces of one person's path
    join_s: float = 2.0  # gaps up to here may be bridged by motion
    join_appearance: float = 0.5  # and these colours; backlight alone changes them by 0.4
    long_appearance: float = 0.15  # longer gaps and cuts: as good as the same colours, ...
    long_appearance_alone: float = (
        0.35  # ... or this where no two people are ever seen together (4 cameras: 0.19 to 0.33)
    )
    most_tracklets: int = 300  # the largest ones; bounds the joining's cost in crowds
    long_least: int = 3  # sightings in a piece that may be joined over a long gap

    # Boxes for the frames in between
    bridge_s: float = 1.0  # frames in longer gaps get no box
    margin_share: float = 0.065  # the detector's boxes end at the body; labelled ones lie this much further out
