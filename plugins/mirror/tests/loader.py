"""An account that makes events: what Stripe would have sent of it, and what is
true of it in the end. It knows its own history, and nothing of the mirror.

Much happens within one second, as in life: a subscription is created, becomes
active, its invoice is finalized and paid. What an event looks like follows
Stripe: `*.updated` says in previous_attributes what changed, other types do
not; links are signed anew whenever they are shown; ids are in no order.
"""

import collections
import copy
import itertools
import json
import random

# An event of an object: its time, the object, whether it says what changed.
Event = collections.namedtuple("Event", "at type obj says deleted")

# Statuses that are only ever passed in this order.
STEPS = {
    "invoice": ["draft", "open", "paid"],
    "payment_intent": ["requires_payment_method", "requires_action",
                       "processing", "succeeded"],
}


def difference(old, new):
    """previous_attributes: of objects only what changed, arrays as a whole; what
    was not there before was null."""
    previous = {}
    for key in old.keys() | new.keys():
        was, now = old.get(key), new.get(key)
        if was == now:
            continue
        if isinstance(was, dict) and isinstance(now, dict):
            previous[key] = difference(was, now)
        else:
            previous[key] = was
    return previous


def seen(value):
    """An object without what makes no difference: nulls, and links, which are
    made anew whenever it is shown."""
    if isinstance(value, dict):
        return {name: seen(inner) for name, inner in value.items()
                if inner is not None and not name.endswith("_url")}
    return value


def is_open_end(entry, events):
    """Whether, of an object's events of one second in their true order, nothing
    tells for certain which one was the last. `entry` is what the object was
    before them."""
    *before, last = events
    if last.deleted or not before:
        return False
    states = [state for state, _ in itertools.groupby(
        [entry] * events[0].says + [seen(event.obj) for event in events])]
    comes_back = states[-1] in states[:-1]
    made_again = any(event.deleted for event in before)
    return comes_back or made_again or any(
        not is_step_told(one, next) for one, next in zip(events, events[1:]))


def is_step_told(one, next):
    """Whether an event says that it came after the one before it."""
    steps = STEPS.get(one.obj["object"], [])
    one_status, next_status = one.obj.get("status"), next.obj.get("status")
    return (next.says or one.type.endswith(".created")
            or seen(one.obj) == seen(next.obj)
            or one_status in steps and next_status in steps
            and steps.index(one_status) < steps.index(next_status))


class Account:
    """Its objects are moved on by act(); `events` has all events so far, and
    `truth` the last Event of each object by its key. With `ties` an object's
    end can be open (is_open()); without, the clock goes on before that."""

    seen = staticmethod(seen)

    def __init__(self, seed, account=None, livemode=False, ties=False):
        self.random = random.Random(seed)
        self.account, self.livemode, self.ties = account, livemode, ties
        self.now = 1_793_000_000
        self.numbers = itertools.count(1)
        self.objects = []
        self.events = []
        self.truth = {}
        self.last_second = {}  # key: its events in it, in their true order
        self.entry = {}  # key: what the object was before that second

    def is_open(self, key):
        return is_open_end(self.entry[key], self.last_second[key])

    def candidates(self, key):
        """What the object was within its last second."""
        return [seen(event.obj) for event in self.last_second[key]]

    # -- events ------------------------------------------------------------

    def id(self, prefix):
        return f"{prefix}_{self.random.getrandbits(64):016x}{next(self.numbers)}"

    def key(self, obj):
        return (self.account or "", self.livemode, obj["object"],
                obj.get("id", ""))

    def emit(self, type, obj, old=None, deleted=False):
        for name in [name for name in obj if name.endswith("_url")]:
            obj[name] = f"https://pay.stripe.com/{self.id('show')}"
        event = self.remember(Event(self.now, type, copy.deepcopy(obj),
                                    old is not None, deleted))
        data = {"object": event.obj}
        if old is not None:
            data["previous_attributes"] = {
                name: was for name, was in difference(old, obj).items()
                if not name.endswith("_url") or self.random.random() < 0.5}
        body = {"id": self.id("evt"), "object": "event",
                "api_version": "2026-10-28.endive", "created": event.at,
                "data": data, "livemode": self.livemode,
                "pending_webhooks": 1, "request": None, "type": type}
        if self.account:
            body["account"] = self.account
        self.events.append(json.dumps(
            body, indent=self.random.choice([None, 2])).encode())

    def remember(self, event):
        key = self.key(event.obj)
        events = [one for one in self.last_second.get(key, [])
                  if one.at == event.at] + [event]
        if (not self.ties and len(events) > 1
                and is_open_end(self.entry[key], events)):
            self.now += 1
            event = event._replace(at=self.now)
            events = [event]
        if len(events) == 1:
            last = self.truth.get(key)
            self.entry[key] = last and seen(last.obj)
        self.last_second[key] = events
        self.truth[key] = event
        return event

    def update(self, type, obj, **changes):
        old = copy.deepcopy(obj)
        for name, value in changes.items():
            if isinstance(obj.get(name), dict) and isinstance(value, dict):
                obj[name].update(value)
                for inner in [k for k, v in value.items() if v is None]:
                    del obj[name][inner]
            else:
                obj[name] = value
        if difference(old, obj):
            self.emit(type, obj, old)

    # -- what can happen: make_* begins an object, act_* says whether it goes on

    def make_customer(self):
        obj = {"id": self.id("cus"), "object": "customer", "name": "Jenny",
               "email": None, "metadata": {}, "address": None,
               "preferred_locales": [], "note": 'quote " and \\ and {[,]}'}
        self.emit("customer.created", obj)
        return obj

    def act_customer(self, obj):
        if self.random.random() < 0.08:
            self.emit("customer.deleted", obj, deleted=True)
            return False
        change = self.random.choice([
            {"name": self.random.choice(["Jenny", "Ōsaka \U0001f600"])},
            {"email": self.random.choice(["a@example.com", None])},
            {"metadata": {"tier": self.random.choice(["1", "2", None])}},
            {"address": self.random.choice([None, {"city": "Osaka"}])},
            {"preferred_locales": self.random.choice([[], ["ja"], ["ja", "en"]])}])
        if change.get("metadata", {}).get("tier", "") is None and (
                "tier" not in obj["metadata"]):
            return True
        self.update("customer.updated", obj, **change)
        return True

    def make_payment(self):
        obj = {"id": self.id("pi"), "object": "payment_intent", "amount": 1099,
               "status": "requires_payment_method"}
        self.emit("payment_intent.created", obj)
        return obj

    def act_payment(self, obj):
        """Types without previous_attributes: the status tells."""
        steps = STEPS["payment_intent"]
        step = steps.index(obj["status"]) + 1
        if step == len(steps):
            return False
        obj["status"] = steps[step]
        self.emit(f"payment_intent.{steps[step]}", obj)
        return True

    def make_invoice(self):
        obj = {"id": self.id("in"), "object": "invoice", "status": "draft",
               "description": None, "hosted_invoice_url": None,
               "lines": {"object": "list", "data": [
                   {"id": self.id("il"), "amount": n} for n in range(3)]}}
        self.emit("invoice.created", obj)
        return obj

    def act_invoice(self, obj):
        """Both: some types say what changed, some do not."""
        if obj["status"] == "draft":
            obj["status"] = "open"
            self.emit("invoice.finalized", obj)
        elif obj["status"] == "open" and self.random.random() < 0.3:
            obj["status"] = "paid"
            self.emit("invoice.paid", obj)
            self.emit("invoice.payment_succeeded", obj)
        else:
            self.update("invoice.updated", obj, description=self.random.choice(
                ["thanks", "many thanks", None]))
        return obj["status"] != "paid" or self.random.random() < 0.5

    def make_subscription(self):
        obj = {"id": self.id("sub"), "object": "subscription",
               "status": "incomplete", "latest_invoice": self.id("in"),
               "items": {"object": "list", "data": [{"quantity": 1}]}}
        self.emit("customer.subscription.created", obj)
        return obj

    def act_subscription(self, obj):
        """It goes back and forth, and says so."""
        if self.random.random() < 0.1:
            old = copy.deepcopy(obj)
            obj["status"] = "canceled"
            self.emit("customer.subscription.updated", obj, old)
            self.emit("customer.subscription.deleted", obj)  # it still is there
            return False
        change = {"status": self.random.choice(["active", "past_due"])}
        if self.random.random() < 0.5:
            change["items"] = {"data": [
                {"quantity": self.random.randint(1, 2)}
                for _ in range(self.random.randint(1, 3))]}
        self.update("customer.subscription.updated", obj, **change)
        return True

    def make_coupon(self):
        """People choose its id, and can choose it again."""
        obj = {"id": f"coupon_{self.random.randint(1, 5)}", "object": "coupon",
               "percent_off": self.random.randint(1, 100)}
        last = self.truth.get(self.key(obj))
        if last is None or last.deleted:
            self.emit("coupon.created", obj)
        return obj

    def act_coupon(self, obj):
        if not self.truth[self.key(obj)].deleted:
            self.emit("coupon.deleted", obj, deleted=True)
        return False

    def make_balance(self):
        """One per account, without an id."""
        return {"object": "balance", "available": []}

    def act_balance(self, obj):
        obj["available"] = [{"amount": next(self.numbers), "currency": "usd"}]
        self.emit("balance.available", obj)
        return True

    def make_source(self):
        obj = {"id": self.id("src"), "object": "source", "n": 0}
        self.emit("source.chargeable", obj)
        return obj

    def act_source(self, obj):
        """Nothing ever tells the order of these within a second."""
        obj["n"] = self.random.randint(0, 3)
        self.emit("source.transaction.updated", obj)
        return True

    KINDS = ["customer", "payment", "invoice", "subscription", "coupon",
             "source"]

    # -- all of it -------------------------------------------------------------

    def act(self):
        if self.random.random() < 0.35:
            self.now += self.random.choice([1, 1, 2, 3600])
        if not self.objects:
            self.objects.append(("balance", self.make_balance()))
        if len(self.objects) < 4 or self.random.random() < 0.1:
            kind = self.random.choice(self.KINDS)
            self.objects.append((kind, getattr(self, f"make_{kind}")()))
            return
        # The youngest have the most to do, so that much falls into one second.
        index = max(self.random.randrange(len(self.objects))
                    for _ in range(3))
        if self.random.random() < 0.02:
            index = 0  # the balance
        kind, obj = self.objects[index]
        for _ in range(self.random.choice([1, 1, 2, 4])):
            if not getattr(self, f"act_{kind}")(obj):
                self.objects.remove((kind, obj))
                return

    def run(self, count):
        while len(self.events) < count:
            self.act()
        return self

    def run_one(self, count):
        """The life of a single object, in few seconds."""
        kind = self.random.choice(self.KINDS)
        obj = getattr(self, f"make_{kind}")()
        while len(self.events) < count:
            self.now += self.random.random() < 0.15
            if not getattr(self, f"act_{kind}")(obj):
                break
        return self
