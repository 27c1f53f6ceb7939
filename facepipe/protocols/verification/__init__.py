"""Pairs of images or videos: is it one person?"""
