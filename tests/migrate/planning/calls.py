"""Programs that call what blocks: functions, methods, objects of a project's own."""

from __future__ import annotations

from .programs import program

EDITED = [
    program(
        "calls of a function, wherever an expression may stand",
        """
        async def counted() -> list[int]:
            counts = {0: 0}
            counts[send("Ann") - 3] += send("Bea")
            assert send("Cat") == 3, send("never")
            match send("Dan"):
                case 3 if send("Eve"):
                    counts[1] = send() if send("Fay") < 4 < send("Gina") + 1 else 0
            more = [send(name) for name in ("Ida", "Jo") if send("If")]
            return [*counts.values(), -(send("Hal")) ** 2, *more]


        async def main() -> list[int]:
            try:
                return await counted()
            finally:
                send("Finally")
        """,
        """
        async def counted() -> list[int]:
            counts = {0: 0}
            counts[await async_send("Ann") - 3] += await async_send("Bea")
            assert await async_send("Cat") == 3, await async_send("never")
            match await async_send("Dan"):
                case 3 if await async_send("Eve"):
                    counts[1] = await async_send() if await async_send("Fay") < 4 < await async_send("Gina") + 1 else 0
            more = [await async_send(name) for name in ("Ida", "Jo") if await async_send("If")]
            return [*counts.values(), -(await async_send("Hal")) ** 2, *more]


        async def main() -> list[int]:
            try:
                return await counted()
            finally:
                await async_send("Finally")
        """,
    ),
    program(
        "an async generator, and an async for",
        """
        async def counted() -> Any:
            for subject in ("Ann", "Bea"):
                yield send(subject)


        async def main() -> list[int]:
            found = [count + send("Sum") async for count in counted()]
            async for count in counted():
                found.append(send("Count"))
            return found
        """,
        """
        async def counted() -> Any:
            for subject in ("Ann", "Bea"):
                yield await async_send(subject)


        async def main() -> list[int]:
            found = [count + await async_send("Sum") async for count in counted()]
            async for count in counted():
                found.append(await async_send("Count"))
            return found
        """,
    ),
    program(
        "a generator, and a context manager",
        """
        async def main() -> list[int]:
            found = [count for count in each("Ann", "Bea")]
            for count in each("Cat"):
                found.append(count)
            with noted("Dan") as count, noted("Eve"):
                found.append(count)
            return found
        """,
        """
        async def main() -> list[int]:
            found = [count async for count in async_each("Ann", "Bea")]
            async for count in async_each("Cat"):
                found.append(count)
            async with async_noted("Dan") as count, async_noted("Eve"):
                found.append(count)
            return found
        """,
    ),
    program(
        "functions by other names are bridged where they are called",
        """
        greet = functools.partial(send, "Greeting")


        async def main(function: Callable[[], int] = send) -> list[int]:
            again = send
            for each_one in (send, send):
                each_one("Each")
            return [greet(), again("Again")]
        """,
        """
        greet = functools.partial(send, "Greeting")


        async def main(function: Callable[[], int] = send) -> list[int]:
            again = send
            for each_one in (send, send):
                await bridge(each_one)("Each")
            return [await bridge(greet)(), await bridge(again)("Again")]
        """,
    ),
    program(
        "a helper that may not be there is bridged where it is called",
        """
        if PORT > 1:

            def remind() -> int:
                return send("Reminder")


        async def main() -> int:
            return remind()
        """,
        """
        if PORT > 1:

            def remind() -> int:
                return send("Reminder")


        async def main() -> int:
            return await bridge(remind)()
        """,
    ),
    program(
        "a helper that is there in any case is bridged once",
        """
        if PORT > 1:

            def remind() -> int:
                return send("Reminder")

        else:

            def remind() -> int:
                return send("Reminder, later")


        async def main() -> int:
            return remind() + remind()
        """,
        """
        if PORT > 1:

            def remind() -> int:
                return send("Reminder")

        else:

            def remind() -> int:
                return send("Reminder, later")


        async_remind = bridge(remind)


        async def main() -> int:
            return await async_remind() + await async_remind()
        """,
    ),
    program(
        "a helper that is replaced while it runs is looked up each time",
        """
        def remind() -> int:
            return send("First")


        def replace() -> None:
            global remind
            remind = functools.partial(send, "Second")  # type: ignore[misc, assignment]


        async def main() -> int:
            first = remind()
            replace()
            return first + remind()
        """,
        """
        def remind() -> int:
            return send("First")


        def replace() -> None:
            global remind
            remind = functools.partial(send, "Second")  # type: ignore[misc, assignment]


        async def main() -> int:
            first = await bridge(remind)()
            replace()
            return first + await bridge(remind)()
        """,
    ),
    program(
        "methods, class methods, properties and those of super()",
        """
        class Office(Outbox):
            @classmethod
            def open(cls) -> int:
                return send("Open")

            @staticmethod
            def close() -> int:
                return send("Close")

            async def all(self) -> list[int]:
                found = [self.send(), self.open(), Office.close()]
                found += [self.receipt, super().send("Super")]
                return [*found, self.count]


        async def main() -> list[int]:
            return await Office().all()
        """,
        """
        class Office(Outbox):
            @classmethod
            def open(cls) -> int:
                return send("Open")

            @staticmethod
            def close() -> int:
                return send("Close")

            async def all(self) -> list[int]:
                found = [await bridge(self.send)(), await bridge(self.open)(), await bridge(Office.close)()]
                found += [await bridge(self, awaitable=("receipt",)).receipt, await bridge(super().send)("Super")]
                return [*found, self.count]


        async def main() -> list[int]:
            return await Office().all()
        """,
    ),
    program(
        "an object that does not block in being made keeps its other methods",
        """
        async def main() -> str:
            outbox = Outbox()
            outbox.send()
            return outbox.describe()
        """,
        """
        async def main() -> str:
            outbox = Outbox()
            await bridge(outbox.send)()
            return outbox.describe()
        """,
    ),
    program(
        "an object that blocks in being made becomes a proxy, with all of its methods awaited",
        """
        async def main() -> list[object]:
            mailer = Mailer("Proxy")
            mailer.subject += "!"
            found = [mailer.send(), mailer.label, mailer.code]
            found += [count for count in mailer.each("Ann", "Bea")]
            if mailer:
                mailer.quit()
            return found
        """,
        """
        async def main() -> list[object]:
            mailer = await bridge(Mailer, awaitable=("code",))("Proxy")
            mailer.subject += "!"
            found = [await mailer.send(), mailer.label, await mailer.code]
            found += [count async for count in mailer.each("Ann", "Bea")]
            if mailer:
                await mailer.quit()
            return found
        """,
    ),
    program(
        "an object that is entered, and one that is used where it is made",
        """
        async def main() -> int:
            with Mailer("Entered") as mailer:
                mailer.send()
            Mailer("Once").send()
            return Mailer().code
        """,
        """
        async def main() -> int:
            async with AsyncMailer("Entered") as mailer:
                await mailer.send()
            await (await AsyncMailer("Once")).send()
            return await (await bridge(Mailer, awaitable=("code",))()).code
        """,
    ),
    program(
        "arguments of one call that block themselves",
        """
        def add(*counts: int) -> int:
            return sum(counts) + send("Sum")


        async def main() -> int:
            return add(send("Ann"), add(*[Outbox().send()]))
        """,
        """
        def add(*counts: int) -> int:
            return sum(counts) + send("Sum")


        async_add = bridge(add)


        async def main() -> int:
            return await async_add(await async_send("Ann"), await async_add(*[await bridge(Outbox().send)()]))
        """,
    ),
    program(
        "a function that is written in several lines",
        """
        async def main() -> int:
            outbox = Outbox()
            return (
                outbox
                .send(
                    # said here
                    "Long",
                )
            )
        """,
        """
        async def main() -> int:
            outbox = Outbox()
            return (
                await bridge(outbox.send)(
                    # said here
                    "Long",
                )
            )
        """,
    ),
    program(
        "a function that is given what blocks, and calls it",
        """
        def twice(function: Callable[[str], int]) -> int:
            return function("Once") + function("Twice")


        async def main() -> int:
            return twice(send) + twice(lambda subject: send(subject))
        """,
        """
        def twice(function: Callable[[str], int]) -> int:
            return function("Once") + function("Twice")


        async_twice = bridge(twice)


        async def main() -> int:
            return await async_twice(send) + await async_twice(lambda subject: send(subject))
        """,
    ),
    program(
        "a name that is taken, and one of this package's that is taken elsewhere",
        """
        async def async_send() -> int:
            return send("Taken")


        def elsewhere(bridge: int) -> int:
            return bridge


        async def main() -> int:
            return await async_send()
        """,
        """
        async def async_send() -> int:
            return await bridged_send("Taken")


        def elsewhere(bridge: int) -> int:
            return bridge


        async def main() -> int:
            return await async_send()
        """,
    ),
]

LEFT_ALONE = [
    program(
        "a call on what another call gives",
        """
        def office() -> Outbox:
            send("Office")
            return Outbox()


        async def main() -> int:
            return office().send()  # left: it is called on what another call gives...
        """,
        """
        def office() -> Outbox:
            send("Office")
            return Outbox()


        async_office = bridge(office)


        async def main() -> int:
            return (await async_office()).send()  # left: it is called on what another call gives...
        """,
    ),
    program(
        "a method that gives the object itself, which would be a proxy",
        """
        async def main() -> int:
            mailer = Mailer()  # left: again() may give the object itself, which would be a proxy there
            mailer.again().send()
            return mailer.send()  # left: again() may give the object itself, which would be a proxy there
        """,
        """
        async def main() -> int:
            mailer = Mailer()  # left: again() may give the object itself, which would be a proxy there
            await bridge(mailer.again().send)()
            return mailer.send()  # left: again() may give the object itself, which would be a proxy there
        """,
    ),
    program(
        "a session that a function gives",
        """
        async def main() -> None:
            smtp = connect()
            smtp.sendmail(SENDER, TO, "Subject: Note\\n\\n")  # left: the session smtp comes from...
            connect().quit()  # left: the session comes from...
        """,
        """
        async def main() -> None:
            smtp = await async_connect()
            smtp.sendmail(SENDER, TO, "Subject: Note\\n\\n")  # left: the session smtp comes from...
            (await async_connect()).quit()  # left: the session comes from...
        """,
    ),
    program(
        "generators and context managers that are not walked through or entered at once",
        """
        async def main() -> list[object]:
            counts = each("Ann")  # left: it is a generator, and no for statement walks through it here
            several = list(each("Bea"))  # left: it is a generator, and no for statement walks through it here
            total = sum(count for count in each("Cat"))  # left: it is used in a generator expression, which would...
            manager = noted("Dan")  # left: it makes a context manager that is not entered here
            with manager as count:
                return [*counts, *several, total, count]
        """,
    ),
    program(
        "what others call, and what is awaited already",
        """
        async def later() -> int:
            return 1


        def make() -> Any:
            send("Before")
            return later()


        async def main() -> list[int]:
            asyncio.get_running_loop().call_soon(send)  # left: the event loop calls it: start a task that awaits it...
            counts = list(map(send, ["Ann", "Bea"]))  # left: map() calls it, and awaits nothing: write a loop
            return [*counts, await make()]  # left: it blocks before it gives what is awaited: make it a coroutine...
        """,
    ),
    program(
        "an object that others would not get as it is",
        """
        async def shown() -> None:
            mailer = Mailer()  # left: the object is passed to isinstance()
            if isinstance(mailer, Mailer):
                mailer.send()  # left: the object is passed to isinstance()


        async def annotated() -> None:
            mailer: Mailer = Mailer()  # left: its variable is annotated as Mailer, and would hold a proxy of one
            mailer.send()  # left: its variable is annotated as Mailer, and would hold a proxy of one


        async def extended() -> None:
            mailer = Mailer()  # left: color is set, which its class does not know: a proxy would keep it to itself
            mailer.color = "red"  # type: ignore[attr-defined]
            mailer.send()  # left: color is set, which its class does not know: a proxy would keep it to itself


        async def main() -> None:
            await shown()
            await annotated()
            await extended()
        """,
    ),
    program(
        "an object that gives another one when it is entered",
        """
        class Opening:
            def __enter__(self) -> smtplib.SMTP:
                self.smtp = smtplib.SMTP(HOST, PORT)
                return self.smtp

            def __exit__(self, *_: object) -> None:
                self.smtp.quit()


        async def main() -> None:
            with Opening() as smtp:  # left: what Opening gives when it is entered may be something else
                smtp.sendmail(SENDER, TO, "Subject: Note\\n\\n")  # left: what Opening gives when...
        """,
    ),
]

PROGRAMS = [*EDITED, *LEFT_ALONE]
