"""placeholder"""


class TakingBack:
    def __init__(self, node):
        self._node = node

    async def open(self): ...
    async def ask(self, sibling): ...
