"""Networks, losses, devices, and the models a user loads."""
