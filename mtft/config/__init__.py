"""Settings: what each command takes (`schema`), and where each value came from (`load`)."""
