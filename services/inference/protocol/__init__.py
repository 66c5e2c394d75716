"""OpenAI's protocol: what clients send, and what they are sent. Which parts of it are served is in docs/openai.md.

`bodies.py` and `sampling.py` read what all endpoints share, `messages.py` and `pictures.py` make prompts,
`answering.py` asks the engine, `streaming.py` and `errors.py` write. One file for each endpoint uses them: `chat.py`,
`completions.py`, `responses_api.py`, `models.py`.
"""
