"""What package indexes say of releases, compared with our tables. The only room with a network, and only when asked."""
