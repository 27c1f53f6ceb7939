"""Several processes: ranks, sharded class weights."""
