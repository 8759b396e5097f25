"""Photographs that arrive one after the other, and the changes that they show."""
