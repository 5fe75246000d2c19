"""The Streamlit app: four pages under one bar. Started by `inspector dashboard`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

ICON = Path(__file__).parent / "icon.svg"
VIEWS = Path(__file__).parent / "views"


def main() -> None:
    st.set_page_config(page_title="inspector", page_icon=str(ICON), layout="wide")
    st.logo(str(ICON), size="large")
    st.navigation(
        [
            st.Page(VIEWS / "live.py", title="Live", default=True),
            st.Page(VIEWS / "history.py", title="History"),
            st.Page(VIEWS / "review.py", title="Review"),
            st.Page(VIEWS / "alarms.py", title="Alarms"),
        ],
        position="top",
    ).run()


if __name__ == "__main__":
    main()
