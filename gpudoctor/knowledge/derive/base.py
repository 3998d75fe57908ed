"""What a derive module offers. Modules are discovered by their `derive` function and run in order of their inputs.

A derive module defines

    FACTS: tuple[FactSpec, ...]        its outputs, declared once
    INPUTS: tuple[str, ...]            keys of facts it reads; may be outputs of other derive modules
    def derive(facts: Facts, tables: Tables) -> Iterable[Fact]

A fact that was observed directly is never replaced by a derived one. What cannot be decided is Unknown, with the
reason that blocked it.
"""
