"""An environment in which Google's libraries find no credentials, wherever they look."""

from pathlib import Path


def without_credentials(home: Path) -> dict[str, str]:
    """Variables of a paper gateway whose home is an empty folder, off Google's machines."""
    return {
        "MODE": "paper",
        "GOOGLE_CLOUD_PROJECT": "nobodys",
        "CLOUDSDK_CONFIG": str(home),
        "HOME": str(home),
        "NO_GCE_CHECK": "true",
    }
