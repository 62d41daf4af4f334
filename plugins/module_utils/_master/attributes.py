# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file has beside content, owner and mode: its access control list and its extended attributes.

The file that takes its place gets them, too. See acl(5), xattr(7), and include/uapi/linux/posix_acl_xattr.h for the
form of a list: a version (2), then entries of tag, permissions and number, all in little-endian order.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct

__all__ = ["ACL", "carried_list", "carry"]

ACL = "system.posix_acl_access"
# These speak of the content, which is another one now (Linux: Documentation/ABI/testing/evm, capabilities(7)).
_OF_THE_CONTENT = ("security.ima", "security.evm", "security.capability")
# Other lists than this one, such as that of NFS, say who may what in words that no mode bounds.
_OTHER_LISTS = "system."
# What somebody has set on purpose. The rest (security., trusted., btrfs.) not everybody may set.
_OF_A_USER = "user."

_VERSION = 2
_HEAD, _ENTRY = struct.Struct("<I"), struct.Struct("<HHI")
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20


def carried_list(before: bytes, mode: int, *, same_group: bool) -> bytes | None:
    """Give the access control list of a file that takes the place of another, from that one's list.

    mode: of the new file; as with chmod(1), its middle part is the mask, which bounds what named users and groups may.
    same_group: whether the group is the one of before. No named user or group may more than before, also where the mode
    is wider than it was. None if the list is in no form that is known.
    """
    if len(before) < _HEAD.size or (len(before) - _HEAD.size) % _ENTRY.size:
        return None
    if _HEAD.unpack_from(before)[0] != _VERSION:
        return None
    entries = list(_ENTRY.iter_unpack(before[_HEAD.size :]))
    old_mask = next((allowed for tag, allowed, dummy in entries if tag == _MASK), 0o7)
    middle = mode >> 3 & 0o7
    # the group's own part of a list may be narrower than the mask; it stays so unless something else is ordered
    kept = same_group and middle == old_mask
    bits = {_USER_OBJ: mode >> 6 & 0o7, _MASK: middle, _OTHER: mode & 0o7}
    after = [_HEAD.pack(_VERSION)]
    for tag, allowed, number in entries:
        if tag in bits:
            allowed = bits[tag]
        elif tag == _GROUP_OBJ:
            allowed = allowed if kept else middle
        else:
            allowed &= old_mask
        after.append(_ENTRY.pack(tag, allowed, number))
    return b"".join(after)


def _take(source: str, name: str) -> bytes | None:
    try:
        return os.getxattr(source, name)
    except OSError:
        return None  # gone meanwhile, or not for us to read


def _without_list(target: int) -> None:
    # a folder can have a list that its new files inherit; by it more would read than is ordered
    try:
        os.removexattr(target, ACL)
    except OSError as error:
        if error.errno not in (errno.ENODATA, errno.ENOTSUP):
            raise


def _names(source: str) -> list[str]:
    try:
        return os.listxattr(source)
    except OSError:
        return []  # it is not there, or its file system has none


def carry(source: str, target: int, mode: int, *, same_group: bool) -> None:
    """Give an open, empty file what the one at ``source`` has beside content, owner and mode; nothing if none is there.

    mode, same_group: see `carried_list`. Raises OSError if a list, or an attribute that a user has set, cannot be set.
    """
    names = _names(source)
    before = _take(source, ACL) if ACL in names else None
    after = None if before is None else carried_list(before, mode, same_group=same_group)
    _without_list(target)
    for name in names:
        value = after if name == ACL else _take(source, name)
        if value is None or name in _OF_THE_CONTENT:
            continue
        if name == ACL or name.startswith(_OF_A_USER):
            _set(target, name, value)
        elif not name.startswith(_OTHER_LISTS):
            with contextlib.suppress(OSError):
                os.setxattr(target, name, value)


def _set(target: int, name: str, value: bytes) -> None:
    try:
        os.setxattr(target, name, value)
    except OSError as error:
        if error.errno != errno.ENOTSUP:  # a link led to another file system, which has such attributes
            raise
