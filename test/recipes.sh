#!/usr/bin/env bash
# `npm run recipes`: the recipes of docs/recipes, those whose libraries take long to install among them. Needs Go.
set -euo pipefail
cd "$(dirname "$0")/.."

/usr/bin/python3 -m venv .cache/recipes
.cache/recipes/bin/pip install --quiet langgraph==1.2.22 openai-agents==0.24.0 httpx==0.28.1
npm install --prefix .cache/recipes-node --no-save --no-audit --no-fund react@19.3.1 react-dom@19.3.1 \
  @openai/agents@0.20.0 ai@7.0.173 zod@4.6.7
RECIPES=all node --test test/docs.recipes.test.ts
