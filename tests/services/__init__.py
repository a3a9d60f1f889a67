"""Services that reach phones, chats and programs, as fakes written from their documentation, over real HTTP."""
