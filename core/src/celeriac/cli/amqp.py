"""``celeriac amqp``: single operations on a broker, and a prompt for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from celeriac.cli.answer import answer, counted, json_option
from celeriac.cli.broker_channel import BrokerChannel
from celeriac.cli.help import Commands

if TYPE_CHECKING:
    from celeriac.cli.state import State

#: The prompt's channel, for the commands that are typed there: what was got stays to be acked.
_CHANNEL: Final = "celeriac.cli.amqp.channel"


@click.group("amqp", cls=Commands, invoke_without_command=True)
@click.pass_context
def amqp(context: click.Context) -> None:
    """Declare, bind, get, publish, delete: single operations on any broker; without a command: at a prompt."""
    if context.invoked_subcommand is None:
        context.invoke(repl)


def _channel(context: click.Context) -> BrokerChannel:
    """The prompt's channel, or one of this command's own, which ends with it."""
    shared: BrokerChannel | None = context.meta.get(_CHANNEL)
    if shared is not None:
        return shared
    state: State = context.obj
    return context.with_resource(BrokerChannel(state.app))


@amqp.command("exchange.declare")
@click.argument("exchange")
@click.argument("type", default="direct")
@click.argument("passive", type=bool, default=False)
@click.argument("durable", type=bool, default=False)
@click.argument("auto_delete", type=bool, default=False)
@json_option
@click.pass_context
def exchange_declare(
    context: click.Context, exchange: str, type: str, passive: bool, durable: bool, auto_delete: bool, as_json: bool
) -> None:
    """Declare an exchange."""
    _channel(context).call(
        "exchange_declare", exchange=exchange, type=type, passive=passive, durable=durable, auto_delete=auto_delete
    )
    answer({"ok": True}, as_json, "ok.")


@amqp.command("exchange.delete")
@click.argument("exchange")
@click.argument("if_unused", type=bool, default=False)
@json_option
@click.pass_context
def exchange_delete(context: click.Context, exchange: str, if_unused: bool, as_json: bool) -> None:
    """Delete an exchange."""
    _channel(context).call("exchange_delete", exchange, if_unused=if_unused)
    answer({"ok": True}, as_json, "ok.")


@amqp.command("queue.bind")
@click.argument("queue")
@click.argument("exchange")
@click.argument("routing_key")
@json_option
@click.pass_context
def queue_bind(context: click.Context, queue: str, exchange: str, routing_key: str, as_json: bool) -> None:
    """Have a queue get what is sent to an exchange by a key."""
    _channel(context).call("queue_bind", queue=queue, exchange=exchange, routing_key=routing_key)
    answer({"ok": True}, as_json, "ok.")


@amqp.command("queue.declare")
@click.argument("queue")
@click.argument("passive", type=bool, default=False)
@click.argument("durable", type=bool, default=False)
@click.argument("auto_delete", type=bool, default=False)
@json_option
@click.pass_context
def queue_declare(
    context: click.Context, queue: str, passive: bool, durable: bool, auto_delete: bool, as_json: bool
) -> None:
    """Declare a queue, and count its messages and consumers; with PASSIVE only if it is there."""
    found = _channel(context).call(
        "queue_declare", queue=queue, passive=passive, durable=durable, auto_delete=auto_delete
    )
    name, messages, consumers = found[:3]
    answer(
        {"queue": name, "messages": messages, "consumers": consumers},
        as_json,
        f"queue {name}: {counted(messages, 'message')}, {counted(consumers, 'consumer')}",
    )


@amqp.command("queue.delete")
@click.argument("queue")
@click.argument("if_unused", type=bool, default=False)
@click.argument("if_empty", type=bool, default=False)
@json_option
@click.pass_context
def queue_delete(context: click.Context, queue: str, if_unused: bool, if_empty: bool, as_json: bool) -> None:
    """Delete a queue, with what is in it."""
    _channel(context).call("queue_delete", queue=queue, if_unused=if_unused, if_empty=if_empty)
    answer({"ok": True}, as_json, "ok.")


@amqp.command("queue.purge")
@click.argument("queue")
@json_option
@click.pass_context
def queue_purge(context: click.Context, queue: str, as_json: bool) -> None:
    """Remove the messages of a queue that wait."""
    count = _channel(context).call("queue_purge", queue=queue) or 0
    answer({"removed": count}, as_json, f"{counted(count, 'message')} removed")


@amqp.command("basic.get")
@click.argument("queue")
@click.argument("no_ack", type=bool, default=False)
@json_option
@click.pass_context
def basic_get(context: click.Context, queue: str, no_ack: bool, as_json: bool) -> None:
    """Get a message; one that is not acked goes back when the channel ends, which is at once but at the prompt."""
    found = _channel(context).get(queue, no_ack=no_ack)
    if found is None:
        answer(None, as_json, "empty.")
        return
    answer(found, as_json, "\n".join(f"{name}: {value}" for name, value in found.items()))


@amqp.command("basic.publish")
@click.argument("msg")
@click.argument("exchange")
@click.argument("routing_key")
@click.argument("mandatory", type=bool, default=False)
@click.argument("immediate", type=bool, default=False)
@json_option
@click.pass_context
def basic_publish(
    context: click.Context, msg: str, exchange: str, routing_key: str, mandatory: bool, immediate: bool, as_json: bool
) -> None:
    """Publish a text as a message; EXCHANGE "" is the default one, whose keys are names of queues."""
    _channel(context).publish(msg, exchange, routing_key, mandatory=mandatory, immediate=immediate)
    answer({"ok": True}, as_json, "ok.")


@amqp.command("basic.ack")
@click.argument("delivery_tag")
@json_option
@click.pass_context
def basic_ack(context: click.Context, delivery_tag: str, as_json: bool) -> None:
    """Ack a message that was got at this prompt, by the delivery_tag that basic.get has shown."""
    _channel(context).ack(delivery_tag)
    answer({"ok": True}, as_json, "ok.")


@amqp.command("repl")
@click.pass_context
def repl(context: click.Context) -> None:
    """Type commands at a prompt; all of them use one channel."""
    from celeriac.cli.prompt import Prompt

    state: State = context.obj
    assert context.parent is not None
    group = context.parent.command
    assert isinstance(group, click.Group)
    with BrokerChannel(state.app) as channel:
        click.echo(f"-> connected to {channel.connect()}; exit or Ctrl-D ends it")
        commands = {name: command for name, command in group.commands.items() if name != "repl"}

        def run(words: Sequence[str]) -> None:
            with context.scope(cleanup=False):
                context.meta[_CHANNEL] = channel
                called = commands[words[0]].make_context(words[0], list(words[1:]), parent=context)
                with called:
                    called.command.invoke(called)

        Prompt("amqp> ", sorted(commands), run, state).cmdloop()
