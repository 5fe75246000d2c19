"""The station process: cameras, triggers, tickets, MQTT, recording."""

import logging

# a command that sets no logs up, such as `inspector check`, prints its errors itself
logging.getLogger(__name__).addHandler(logging.NullHandler())
