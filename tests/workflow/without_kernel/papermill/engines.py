"""Stands for papermill's engines: nothing is executed by them here."""


class NBClientEngine:
    pass


class papermill_engines:  # noqa: N801, the name that papermill gives an object
    @staticmethod
    def register(name, engine):
        pass
