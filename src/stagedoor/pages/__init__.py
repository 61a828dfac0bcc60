"""The pages: play, embed, meet and the readable API document, made by Vite and served with a strict policy."""
