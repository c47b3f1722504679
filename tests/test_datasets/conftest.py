from tests.test_video.conftest import faulty_decoder  # noqa: F401  (a fixture)
