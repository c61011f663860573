"""StarCraft II through the SMAC and SMACv2 packages: everything that keeps a long run alive."""
