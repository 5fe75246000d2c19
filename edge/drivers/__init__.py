"""One module for each kind of camera; nothing else imports the vendors' packages."""
