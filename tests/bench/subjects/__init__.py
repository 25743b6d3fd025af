"""What is measured: Muster, its peer ZNC, and the floor; each set up from scratch, storing."""
