from tests.support.rooms_histories import *
from tests.support.rooms_model import LiveKitModel
from tests.support.rooms_truth import *
async def test_x(world):
    m=LiveKitModel(); 
    p=m.connect("live-a","ann"); r=m.create("live-a"); m.now+=1000; m.activate(r,p); m.now+=1000; m.publish(r,p,"audio"); m.now+=1000; m.finish(r)
    s=m.sent
    print([x.event for x in s])
    for order in ([0,5,1,2,3,4],[4,0,1,2,3,5]):
        pass
    await world.apply([s[0],s[5]]); await world.apply([s[4]]); await world.apply([s[1]]); await world.apply([s[3]]); await world.apply([s[2]])
    f=await world.snapshot()
    for e in f.story: print(e.type,e.at,e.detail)
    for p in f.participants.values(): print(p)
    for t in f.tracks.values(): print(t)
    tells_one_story(f)
    is_exact(f,m)
