"""The station process: cameras, triggers, tickets, MQTT, recording."""
