"""Losses with class weights: softmax, its margins, and their building blocks."""
