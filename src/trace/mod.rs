//! What workloads were seen to compile: traces become statements that can be replayed.
