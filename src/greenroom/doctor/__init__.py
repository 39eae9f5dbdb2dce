"""``greenroom doctor``: looks at a machine and its settings, and says how to mend what is wrong.

One file a group of checks. A check is a function from what it looks at to its findings, so that
it can be shown any machine; `greenroom.doctor.checkup` shows them this one.
"""
