"""Chromium as an environment: pages, tabs, input and MiniWoB++, driven through Playwright."""
