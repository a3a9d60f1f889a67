"""All SQL; functions take an open transaction and never commit."""

from sqlalchemy import Connection

__all__ = ["Connection"]
