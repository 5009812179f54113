"""Programs with sessions of smtplib's that a coroutine makes: edited as a whole, or left as a whole."""

from __future__ import annotations

from .programs import program

EDITED = [
    program(
        "a session in a with statement",
        """
        async def main() -> None:
            with smtplib.SMTP(HOST, PORT) as smtp:  # why
                smtp.sendmail(SENDER, TO, "Subject: Note\\n\\n")
        """,
        """
        async def main() -> None:
            async with AsyncSMTP(HOST, PORT) as smtp:  # why
                await smtp.sendmail(SENDER, TO, "Subject: Note\\n\\n")
        """,
    ),
    program(
        "a session that is ended in finally, if there is one",
        """
        async def main() -> None:
            smtp: Optional[smtplib.SMTP] = None
            try:
                smtp = smtplib.SMTP(HOST, PORT)
                smtp.sendmail(SENDER, TO, "Subject: Note\\n\\n")
            finally:
                if smtp is not None and smtp.sock:
                    smtp.quit()
        """,
        """
        async def main() -> None:
            smtp: Optional[AsyncSMTP] = None
            try:
                smtp = await AsyncSMTP(HOST, PORT)
                await smtp.sendmail(SENDER, TO, "Subject: Note\\n\\n")
            finally:
                if smtp is not None and smtp.sock:
                    await smtp.quit()
        """,
    ),
    program(
        "a variable that is bound in two branches",
        """
        async def main(now: bool = True) -> int:
            if now:
                smtp = smtplib.SMTP(HOST, PORT)
            else:
                smtp = smtplib.SMTP()
                smtp.connect(HOST, PORT)
            code = smtp.noop()[0]
            smtp.quit()
            return code
        """,
        """
        async def main(now: bool = True) -> int:
            if now:
                smtp = await AsyncSMTP(HOST, PORT)
            else:
                smtp = await AsyncSMTP()
                await smtp.connect(HOST, PORT)
            code = (await smtp.noop())[0]
            await smtp.quit()
            return code
        """,
    ),
    program(
        "a class that is chosen when it runs",
        """
        async def main(tls: bool = False) -> None:
            kind = smtplib.SMTP_SSL if tls else smtplib.SMTP
            with kind(HOST, PORT) as smtp:
                smtp.noop()
        """,
        """
        async def main(tls: bool = False) -> None:
            kind = smtplib.SMTP_SSL if tls else smtplib.SMTP
            async with bridge(kind)(HOST, PORT) as smtp:
                await smtp.noop()
        """,
    ),
    program(
        "a class that the caller chooses",
        """
        async def deliver(kind: type[smtplib.SMTP]) -> int:
            smtp = kind(HOST, PORT)
            return smtp.quit()[0]


        async def main() -> int:
            return await deliver(smtplib.SMTP)
        """,
        """
        async def deliver(kind: type[smtplib.SMTP]) -> int:
            smtp = await bridge(kind)(HOST, PORT)
            return (await smtp.quit())[0]


        async def main() -> int:
            return await deliver(smtplib.SMTP)
        """,
    ),
    program(
        "a class that a subclass may replace",
        """
        class Sender:
            kind = smtplib.SMTP

            async def send(self) -> None:
                with self.kind(HOST, PORT) as smtp:
                    smtp.sendmail(SENDER, TO, "Subject: Note\\n\\n")


        class AuditedSender(Sender):
            kind = Audited


        async def main() -> None:
            await AuditedSender().send()
        """,
        """
        class Sender:
            kind = smtplib.SMTP

            async def send(self) -> None:
                async with bridge(self.kind)(HOST, PORT) as smtp:
                    await smtp.sendmail(SENDER, TO, "Subject: Note\\n\\n")


        class AuditedSender(Sender):
            kind = Audited


        async def main() -> None:
            await AuditedSender().send()
        """,
    ),
    program(
        "an organisation's own class",
        """
        async def main() -> None:
            smtp: Audited = Audited(HOST, PORT)
            with smtp:
                smtp.sendmail(SENDER, TO, "Subject: Note\\n\\n")
        """,
        """
        async def main() -> None:
            smtp: AsyncSMTP = await AsyncAudited(HOST, PORT)
            async with smtp:
                await smtp.sendmail(SENDER, TO, "Subject: Note\\n\\n")
        """,
    ),
    program(
        "a session that is used where it is made, and one in an assignment expression",
        """
        async def main() -> int:
            smtplib.SMTP(HOST, PORT).quit()
            if (smtp := smtplib.SMTP(HOST, PORT)) is not None:
                smtp.quit()
            return smtplib.SMTP(HOST, PORT).noop()[0]
        """,
        """
        async def main() -> int:
            await (await AsyncSMTP(HOST, PORT)).quit()
            if (smtp := await AsyncSMTP(HOST, PORT)) is not None:
                await smtp.quit()
            return (await (await AsyncSMTP(HOST, PORT)).noop())[0]
        """,
    ),
    program(
        "comprehensions, of which the first iterable stands outside",
        """
        async def main() -> list[int]:
            with smtplib.SMTP(HOST, PORT) as smtp:
                total = sum(part for part in smtp.noop()[:1])
                return [total, *[smtp.noop()[0] for _ in [smtp.rset() for _ in "ab"] if smtp.sock]]
        """,
        """
        async def main() -> list[int]:
            async with AsyncSMTP(HOST, PORT) as smtp:
                total = sum(part for part in (await smtp.noop())[:1])
                return [total, *[(await smtp.noop())[0] for _ in [await smtp.rset() for _ in "ab"] if smtp.sock]]
        """,
    ),
    program(
        "what is only read may stand anywhere",
        """
        async def main() -> str:
            with smtplib.SMTP(HOST, PORT, "client.example.org") as smtp:
                name = lambda: smtp.local_hostname
                smtp.noop()
                return f"{smtp.local_hostname} {name()}"
        """,
        """
        async def main() -> str:
            async with AsyncSMTP(HOST, PORT, "client.example.org") as smtp:
                name = lambda: smtp.local_hostname
                await smtp.noop()
                return f"{smtp.local_hostname} {name()}"
        """,
    ),
    program(
        "defaults and decorators of nested functions, which are evaluated where they stand",
        """
        async def main() -> int:
            with smtplib.SMTP(HOST, PORT) as smtp:

                def code(given: int = smtp.noop()[0]) -> int:
                    return given

                return code()
        """,
        """
        async def main() -> int:
            async with AsyncSMTP(HOST, PORT) as smtp:

                def code(given: int = (await smtp.noop())[0]) -> int:
                    return given

                return code()
        """,
    ),
    program(
        "two sessions in one with statement, and a generator of coroutines",
        """
        async def one(subject: str) -> None:
            with smtplib.SMTP(HOST, PORT) as first, smtplib.SMTP(HOST, PORT) as second:
                first.sendmail(SENDER, TO, f"Subject: {subject}\\n\\n")
                second.noop()


        async def main() -> None:
            await asyncio.gather(*(one(subject) for subject in ("Ann", "Bea")))
        """,
        """
        async def one(subject: str) -> None:
            async with AsyncSMTP(HOST, PORT) as first, AsyncSMTP(HOST, PORT) as second:
                await first.sendmail(SENDER, TO, f"Subject: {subject}\\n\\n")
                await second.noop()


        async def main() -> None:
            await asyncio.gather(*(one(subject) for subject in ("Ann", "Bea")))
        """,
    ),
]

LEFT_ALONE = [
    program(
        "a session that leaves the function, has another name, or goes elsewhere",
        """
        async def returned() -> smtplib.SMTP:
            return smtplib.SMTP(HOST, PORT)  # left: the object leaves the function


        async def renamed() -> None:
            first = second = smtplib.SMTP(HOST, PORT)  # left: the object has several names
            first.noop()  # left: the object has several names
            second.quit()  # left: the object has several names


        async def paired() -> None:
            first, second = smtplib.SMTP(HOST, PORT), 1  # left: the object is stored in a collection
            first.quit()  # left: the object is stored in a collection


        async def passed() -> None:
            with smtplib.SMTP(HOST, PORT) as smtp:  # left: the object is passed to print()
                print(smtp)


        async def compared(other: object) -> bool:
            smtp = smtplib.SMTP(HOST, PORT)  # left: the object is compared with something
            smtp.quit()  # left: the object is compared with something
            return smtp is other


        async def given(other: smtplib.SMTP | None) -> None:
            smtp = other or smtplib.SMTP(HOST, PORT)  # left: it is one of several objects that the expression may...
            smtp.quit()  # left: it is one of several objects that the expression may come to


        async def called_by_another_name() -> None:
            smtp = smtplib.SMTP(HOST, PORT)  # left: its quit is not called
            end = smtp.quit
            end()  # left: end is a method of a session, under a name of its own


        async def kept(kept: list[smtplib.SMTP], by_name: dict[str, smtplib.SMTP]) -> None:
            by_name["main"] = smtplib.SMTP(HOST, PORT)  # left: the object is stored in by_name['main']
            smtp = smtplib.SMTP(HOST, PORT)  # left: the object is passed to kept.append()
            kept.append(smtp)


        async def main() -> None: ...
        """,
    ),
    program(
        "a variable that is not one session's only",
        """
        async def parameter(smtp: smtplib.SMTP | None = None) -> None:
            if smtp is None:
                smtp = smtplib.SMTP(HOST, PORT)  # left: smtp may be something else, too
            smtp.quit()  # left: smtp may be something else, too


        async def caught() -> None:
            try:
                smtp = smtplib.SMTP(HOST, PORT)  # left: smtp may be something else, too
            except OSError as smtp:  # type: ignore[assignment, misc]
                pass


        async def matched(value: object) -> None:
            smtp = smtplib.SMTP(HOST, PORT)  # left: smtp may be something else, too
            smtp.quit()  # left: smtp may be something else, too
            match value:
                case [*smtp]:  # type: ignore[misc]
                    pass


        async def walked(names: list[str]) -> list[str]:
            smtp = smtplib.SMTP(HOST, PORT)  # left: smtp may be something else, too
            smtp.quit()  # left: smtp may be something else, too
            return [smtp.upper() for smtp in names]


        async def commented() -> None:
            smtp = None  # type: smtplib.SMTP | None
            smtp = smtplib.SMTP(HOST, PORT)  # left: the comment with the type of smtp would have to be another one
            smtp.quit()  # left: the comment with the type of smtp would have to be another one


        smtp: Any = None


        async def shared() -> None:
            global smtp
            smtp = smtplib.SMTP(HOST, PORT)  # left: smtp is not a name of the function's own
            smtp.quit()  # left: smtp is not a name of the function's own


        async def main() -> None: ...
        """,
    ),
    program(
        "where nothing can be awaited",
        """
        async def in_a_lambda() -> Callable[[], object]:
            with smtplib.SMTP(HOST, PORT) as smtp:  # left: smtp is used in a lambda
                return lambda: smtp.noop()


        async def in_a_function() -> None:
            smtp = smtplib.SMTP(HOST, PORT)  # left: smtp is used in a nested function, end()

            def end() -> None:
                smtp.quit()

            end()  # left: it is a nested function, which may use what belongs to the event loop


        async def in_a_generator() -> int:
            with smtplib.SMTP(HOST, PORT) as smtp:  # left: smtp is used in a generator expression, which would bec...
                return sum(smtp.noop()[0] for _ in "ab")  # left: smtp is used in a generator expression, which wou...


        async def in_an_f_string() -> str:
            with smtplib.SMTP(HOST, PORT) as smtp:  # left: smtp is used in an f-string: give what it comes to a na...
                return f"{smtp.noop()}"  # left: smtp is used in an f-string: give what it comes to a name first


        async def in_two_comprehensions() -> list[list[int]]:
            return [[send() for _ in "a"] for _ in "b"]  # left: it is used in a comprehension within another one,...


        async def in_a_class() -> None:
            class Codes:
                code = send()  # left: it is used in the body of a class


        async def main() -> None: ...
        """,
    ),
    program(
        "a class that may be no class",
        """
        quick = functools.partial(smtplib.SMTP, timeout=3)


        async def partial() -> None:
            with quick(HOST, PORT) as smtp:  # left: quick may be another class, or a function
                smtp.noop()  # left: quick may be another class, or a function


        async def parameter(kind=smtplib.SMTP) -> None:
            with kind(HOST, PORT) as smtp:  # left: kind may be another class, or a function
                smtp.noop()  # left: kind may be another class, or a function


        async def main() -> None:
            await partial()
            await parameter()
        """,
    ),
    program(
        "half of a with statement",
        """
        async def main() -> None:
            with open("/dev/null") as file, smtplib.SMTP(HOST, PORT) as smtp:  # left: its with statement enters so...
                smtp.sendmail(SENDER, TO, "Subject: Note\\n\\n" + file.read())  # left: its with statement enters s...
        """,
    ),
    program(
        "members that a mirror does not have",
        """
        async def own() -> None:
            with Audited(HOST, PORT) as smtp:  # left: note is not one of smtplib's: a subclass of AsyncSMTP would...
                smtp.note()  # left: note is not one of smtplib's: a subclass of AsyncSMTP would have to declare it


        async def main() -> None:
            await own()
        """,
    ),
    program(
        "sessions that come from elsewhere",
        """
        class Holder:
            def __init__(self) -> None:
                self.smtp = smtplib.SMTP()

            async def send(self) -> None:
                self.smtp.connect(HOST, PORT)  # left: the session is stored in self.smtp


        async def parameter(smtp: smtplib.SMTP) -> None:
            smtp.noop()  # left: the session is a parameter, smtp: it is for the caller to make it an AsyncSMTP


        async def main() -> None:
            await Holder().send()
            with session() as smtp:  # left: what it gives when it is entered, of the class SMTP, would still block
                smtp.sendmail(SENDER, TO, "Subject: Note\\n\\n")  # left: the session smtp comes from session()
        """,
    ),
    program(
        "a name of this package's that is something else",
        """
        async def main(AsyncSMTP: int = 1) -> None:
            with smtplib.SMTP(HOST, PORT) as smtp:  # left: the name AsyncSMTP is taken in this file
                smtp.noop()  # left: the name AsyncSMTP is taken in this file
        """,
    ),
]

PROGRAMS = [*EDITED, *LEFT_ALONE]
