"""What every test needs: no network for model libraries, and nothing written to a person's home."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["YOLO_OFFLINE"] = "true"
os.environ["YOLO_AUTOINSTALL"] = "false"

from hypothesis import HealthCheck, settings  # after the environment is set

# A busy machine draws slowly, which says nothing of the product.
settings.register_profile("inspector", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("inspector")
