"""Every exception of the package, one file a room.

A message says what is wrong with which value, whose it is and where; the rule; what to do. It is built
in the class from the facts, never at the ``raise``.
"""

from twoarm.errors.analyses import *
from twoarm.errors.check import *
from twoarm.errors.designate import *
from twoarm.errors.engine import *
from twoarm.errors.evidence import *
from twoarm.errors.experiment import *
from twoarm.errors.export import *
from twoarm.errors.fit import *
from twoarm.errors.jobs import *
from twoarm.errors.learn import *
from twoarm.errors.library import *
from twoarm.errors.models import *
from twoarm.errors.molecules import *
from twoarm.errors.patients import *
from twoarm.errors.plan import *
from twoarm.errors.root import *
from twoarm.errors.study import *
from twoarm.errors.trial import *
