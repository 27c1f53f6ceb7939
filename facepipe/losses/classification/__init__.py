"""Losses over class weights: softmax, its margins, and what they are built of."""
