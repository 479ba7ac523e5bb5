"""The baseline: a bare Flask view with one Core INSERT and commit, on the same server as the application."""

import os

import sqlalchemy as sa
from flask import Flask, request

from gridgov.db import sqlalchemy_url

app = Flask("bare")
engine = sa.create_engine(sqlalchemy_url(os.environ["GRIDGOV_DATABASE_URL"]), pool_size=8, max_overflow=8)
insert = sa.text("INSERT INTO bench_bare (text) VALUES (:text) RETURNING id")


@app.post("/bare")
def bare():
    """Read JSON, insert one row, commit, answer JSON."""
    with engine.begin() as connection:
        return {"id": connection.scalar(insert, {"text": request.get_json()["text"]})}, 201
