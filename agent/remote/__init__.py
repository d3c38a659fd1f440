"""Models on a server: requests and replies of OpenAI's chat completions as a policy."""
