"""The switches' databases: learns chassis settings and plugged interfaces, and sets up what the controller needs."""
