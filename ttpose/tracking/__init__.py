"""Who the video is about and where that person is in every frame."""
