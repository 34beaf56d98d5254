"""Call what is outside: one file per system. A vendor's exception never leaves this package."""
