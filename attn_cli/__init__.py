"""attn: a translator whose users can see what the network looks at."""
