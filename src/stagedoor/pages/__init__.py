"""The pages: play, embed, meet, accounts and the API document, made by Vite and served with a strict policy."""
